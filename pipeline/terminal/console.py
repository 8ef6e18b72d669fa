"""What all commands share: where they print, exit codes, an option, and how they stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from pipeline.config import reading as configuration
from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig
from pipeline.runs.outcome import Outcome

FAILED, WRONG_USE = Outcome.FAILED.exit_code, 2
"""Exit codes; the others are in `pipeline.runs.outcome`."""

out = Console()
err = Console(stderr=True)

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as training.epochs=5."),
]
"""The option that overrides keys of a configuration."""


def stop(message: str, code: int = FAILED) -> NoReturn:
    """Print an error and end the command."""
    err.print("[red]Error:[/]", end=" ")
    say(message, err)
    raise typer.Exit(code)


def say(message: str, console: Console = out) -> None:
    """Print text as it is."""
    console.print(message, highlight=False, markup=False, soft_wrap=True)


def load(path: Path, overrides: Sequence[str]) -> RunConfig:
    """The configuration; what is wrong with it ends the command."""
    try:
        return configuration.load(path, overrides)
    except ConfigError as e:
        stop(str(e), WRONG_USE)


def last_lines(log: Path, count: int) -> str:
    """The end of a log, without TFX's debris."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    told = [line for line in lines if line.strip() and not line.startswith("INFO:")]
    return "\n".join(told[-count:])
