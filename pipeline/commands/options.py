"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline import log_noise
from pipeline.terminal.console import progress

ConfigFile = Annotated[
    Path,
    typer.Argument(metavar="CONFIG", help="YAML file of the run, such as configs/quickstart.yaml."),
]
FolderOrConfig = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER|CONFIG", help="Folder with a sub-folder of images per class, or YAML file."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as training.epochs=5."),
]
ExportedModel = Annotated[
    Path,
    typer.Option(metavar="FOLDER", help="An exported model; of a folder of versions, the newest."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON only; progress goes to standard error.")
]
Engine = Annotated[
    Literal["auto", "tensorflow", "docker", "embedded"],
    typer.Option(
        metavar="ENGINE",
        help="tensorflow (TensorFlow Serving's binary), docker (its image), embedded (this "
        "project's server), or auto: the first that is available.",
    ),
]

NewVersionFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Write the new version here; default: beside the model's own."
    ),
]


def _set_quiet(quiet: bool) -> bool:
    progress.quiet = quiet
    return quiet


def _set_verbose(verbose: bool) -> bool:
    log_noise.verbose = verbose
    return verbose


Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=_set_quiet, help="Print results and errors only."),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=_set_verbose,
        help="Print the log lines of TensorFlow, TFX and servers too.",
    ),
]
