"""Where commands print, how much, and how they end."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console, ConsoleDimensions

from pipeline.runs.outcome import Outcome

FAILED, INTERRUPTED, WRONG_USE = Outcome.FAILED.exit_code, Outcome.INTERRUPTED.exit_code, 2
"""Exit codes; the others are in `pipeline.runs.outcome`."""

_PIPED_WIDTH = 10_000


class _Console(Console):
    """Breaks no line where nobody looks: in a file, a pipe or a CI log (unless COLUMNS is set)."""

    @property  # type: ignore[misc]
    def size(self) -> ConsoleDimensions:
        if self.is_terminal or "COLUMNS" in os.environ:
            return super().size
        return ConsoleDimensions(_PIPED_WIDTH, 25)


out = _Console()
"""Results, on standard output."""

err = _Console(stderr=True)
"""Errors, on standard error."""

progress = _Console(stderr=True)
"""Progress and notes, on standard error; `--quiet` silences it."""


def stop(message: str, code: int = FAILED) -> NoReturn:
    """Print an error and end the command."""
    print_error(message)
    raise typer.Exit(code)


def print_error(message: str) -> None:
    """Print an error message in red and plain text."""
    err.print("[red]Error:[/]", end=" ")
    say(message, err)


def say(message: str, console: Console = out) -> None:
    """Print text as it is: no markup, no colours, no line breaks."""
    console.print(message, highlight=False, markup=False, soft_wrap=True)


def note(message: str) -> None:
    """Print text about the progress of a command."""
    say(message, progress)


_INFO = re.compile(r"(?:\S+ \S+ )?INFO[: ]")


def last_lines(log: Path, count: int) -> str:
    """Return the last lines of a log, without empty ones and those of level INFO."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([line for line in lines if line.strip() and not _INFO.match(line)][-count:])
