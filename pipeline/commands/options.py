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
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as training.epochs=5."),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print JSON and nothing else; progress goes to standard error."),
]
Engine = Annotated[
    Literal["auto", "tensorflow", "docker", "embedded"],
    typer.Option(
        help="Server: TensorFlow Serving's binary or Docker image, or this project's embedded "
        "server; `auto` takes the first that is available.",
    ),
]


def _set_verbosity(quiet: bool | None) -> bool | None:
    progress.quiet = quiet is True
    log_noise.verbose = quiet is False
    return quiet


Quiet = Annotated[
    bool | None,
    typer.Option(
        "--quiet/--verbose",
        "-q/-v",
        callback=_set_verbosity,
        show_default=False,
        help="Print results and errors only / also the log lines of TensorFlow, TFX and servers.",
    ),
]
