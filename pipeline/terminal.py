"""What all commands share: where they print, exit codes, and how they stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from pipeline import config as configuration
from pipeline.config import ConfigError, RunConfig

BLESSED, FAILED, WRONG_USE, NOT_BLESSED, UNDECIDED = 0, 1, 2, 3, 4
"""Exit codes; undecided: there are too few images to tell."""

out = Console()
err = Console(stderr=True)


def stop(message: str, code: int = FAILED) -> NoReturn:
    """Print an error and end the command."""
    err.print("[red]Error:[/]", end=" ")
    err.print(message, highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(code)


def say(message: str) -> None:
    """Print a line as it is."""
    out.print(message, highlight=False, markup=False, soft_wrap=True)


def load(path: Path, overrides: Sequence[str]) -> RunConfig:
    """The configuration; what is wrong with it ends the command."""
    try:
        return configuration.load(path, overrides)
    except ConfigError as e:
        stop(str(e), WRONG_USE)
