"""`siamese init`: write the configuration of a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands import folder as folders
from pipeline.commands.options import Quiet
from pipeline.config import from_folder
from pipeline.config.errors import ConfigError
from pipeline.terminal.console import say


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder with a sub-folder per class.")
    ],
    file: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Default: the folder's name, .yaml."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write the configuration of a folder of images, with what was decided and why.

    Example: [bold]siamese init data/parts -o parts.yaml[/]
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; name a folder of images")
    written = folders.write(folder, file or Path(f"{from_folder.pipeline_name(folder)}.yaml"))
    say(written.read_text(encoding="utf-8").rstrip())
