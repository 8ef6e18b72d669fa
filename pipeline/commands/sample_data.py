"""`siamese sample-data`: write images to try the pipeline on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import Quiet, Verbose
from pipeline.terminal.console import say


def sample_data(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to write, with a sub-folder per class.")
    ],
    per_class: Annotated[
        int, typer.Option(metavar="N", min=1, max=170, help="Images of each digit.")
    ] = 40,
    size: Annotated[
        int, typer.Option(metavar="N", min=8, max=512, help="Height and width in pixels.")
    ] = 32,
    force: Annotated[
        bool, typer.Option("--force", help="Write even if the folder holds other files.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write sample images: scikit-learn's handwritten digits as PNG files.

    Example: [bold]siamese sample-data data/digits[/]
    """
    from pipeline.sample_data import write_digits

    written, present = write_digits(folder, per_class, size, force)
    existing = f" ({present} existed already)" if present else ""
    say(f"{folder}: wrote {written} images of 10 classes{existing}.")
