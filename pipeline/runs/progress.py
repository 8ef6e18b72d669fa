"""Runs a pipeline in a process of its own, and shows its progress, which it reads from the log."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from components.data_check.settings import FINDING
from pipeline import log_noise
from pipeline.runs.child_process import stop, terminated_as_interrupted
from pipeline.runs.launch import PLAN
from pipeline.runs.outcome import ComponentOutcome

_EVENT = re.compile(r"(?:node|Component) (\S+) is (running|finished)\.")
_CACHED = re.compile(r"A cached execution \d+ is used\.")
_NOTE = re.compile(r"^(?:epoch \d+/\d+|trial \S+)(?P<within>, step \d+/\d+)?: .*")
_POLL_SECONDS = 0.1


class Step(NamedTuple):
    """A component in a run.

    Attributes:
        name: Its id.
        outcome: None before it has ended.
        seconds: That it has taken; None before it has begun.
        note: What it is doing, such as an epoch's figures; may be empty.
    """

    name: str
    outcome: ComponentOutcome | None
    seconds: float | None
    note: str = ""


class Tracker:
    """The progress of a run, from the lines of TFX's log.

    Args:
        console: Gets a line per component; a terminal shows a live table instead.
        clock: Returns the time, s, at which a line is read.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._plan: list[str] = []
        self._started: dict[str, float] = {}
        self._ended: dict[str, tuple[ComponentOutcome, float]] = {}
        self._running: str | None = None
        self._cached: set[str] = set()
        self._note = ""

    @property
    def running(self) -> str | None:
        """The running component."""
        return self._running

    def read(self, line: str) -> None:
        """Process one line of the log, and print it if `--verbose` is set."""
        if log_noise.verbose:
            self._console.print(Text(line), soft_wrap=True)
        if line.startswith(PLAN):
            self._plan = line[len(PLAN) :].split()
        elif line.startswith(FINDING):
            self._say(line[len(FINDING) :])
        elif event := _EVENT.search(line):
            name, what = event.groups()
            if what == "running":
                self._start(name)
            else:
                cached = name in self._cached
                self._end(ComponentOutcome.CACHED if cached else ComponentOutcome.DONE)
        elif _CACHED.search(line) and self._running:
            self._cached.add(self._running)
        elif note := _NOTE.match(line):
            self._note = line.strip()
            if not self._console.is_terminal and not note["within"]:
                self._print(f"  {self._note}")

    def fail(self) -> None:
        """Mark the running component as failed."""
        if self._running:
            self._end(ComponentOutcome.FAILED)

    def steps(self) -> list[Step]:
        """Return the components in their order; none before the log lists them."""
        found = []
        for name in self._plan:
            if name in self._ended:
                found.append(Step(name, *self._ended[name]))
            elif name == self._running:
                seconds = self._clock() - self._started[name]
                found.append(Step(name, None, seconds, self._note))
            else:
                found.append(Step(name, None, None))
        return found

    def __rich__(self) -> Table:
        """Return the table of components, for a terminal."""
        table = Table.grid(padding=(0, 2))
        for name, outcome, seconds, note in self.steps():
            if outcome:
                mark = Text(outcome.sign, outcome.colour)
                table.add_row(mark, name, f"{seconds:.1f} s", outcome.word)
            elif seconds is not None:
                table.add_row(Spinner("dots"), f"[bold]{name}", f"{seconds:.0f} s", escape(note))
            else:
                table.add_row(" ", f"[dim]{name}")
        if not self._plan:
            table.add_row(Spinner("dots"), "loading TensorFlow and TFX")
        return table

    def _start(self, name: str) -> None:
        self._running, self._note = name, ""
        self._started[name] = self._clock()

    def _end(self, outcome: ComponentOutcome) -> None:
        name = self._running
        if name is None:
            return
        self._running = None
        seconds = self._clock() - self._started[name]
        self._ended[name] = outcome, seconds
        if not self._console.is_terminal:
            self._print(f"{name}: {outcome.word} ({seconds:.1f} s)")

    def _say(self, finding: str) -> None:
        """Print a finding about the images; above the table, in a terminal."""
        style = "yellow" if finding.startswith("warning") else ""
        self._console.print(Text(f"  {finding}", style), soft_wrap=True)

    def _print(self, line: str) -> None:
        self._console.print(Text(f"{datetime.now():%H:%M:%S} {line}"), soft_wrap=True)


def follow(
    command: Sequence[str], log: Path, console: Console, inherited: Sequence[int] = ()
) -> tuple[int, str | None]:
    """Run `command` with its output in `log`, and show its progress until it ends.

    An interrupt (Ctrl-C, SIGTERM or SIGHUP) ends the process and its descendants.

    Args:
        command: The process.
        log: Overwritten.
        console: Shows the progress.
        inherited: File descriptors that the process inherits.

    Returns:
        The process's exit code (negative: the signal that ended it), and the component that was
        running when it failed, if any.

    Raises:
        KeyboardInterrupt: It was interrupted and has been stopped.
    """
    tracker = Tracker(console)
    with (
        terminated_as_interrupted(),
        log.open("wb") as sink,
        log.open(encoding="utf-8", errors="replace") as lines,
    ):
        child = subprocess.Popen(
            command,
            stdout=sink,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=inherited,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            if console.is_terminal:
                with Live(tracker, console=console, refresh_per_second=8):
                    code = _read_to_the_end(child, lines, tracker)
            else:
                code = _read_to_the_end(child, lines, tracker)
        except BaseException:  # a closed terminal takes no more lines, either
            stop(child)
            raise
    component = tracker.running
    if code:
        stop(child)  # its descendants, if it was killed alone
        tracker.fail()
    return code, component


def _read_to_the_end(child: subprocess.Popen, lines, tracker: Tracker) -> int:
    pending = ""
    while True:
        ended = child.poll() is not None
        pending += lines.read()
        *whole, pending = pending.split("\n")
        for line in whole:
            tracker.read(line)
        if ended:
            return child.returncode
        time.sleep(_POLL_SECONDS)
