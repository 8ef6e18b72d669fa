"""Runs that the interface starts, and the progress of any run, from its log."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from base.errors import UserError
from components.data_check.settings import FINDING
from pipeline.config.run_config import RunConfig
from pipeline.runs.folder_lock import is_locked
from pipeline.runs.outcome import Outcome
from pipeline.runs.progress import Tracker
from pipeline.runs.run_folders import LOG, configurations
from pipeline.runs.summary import Summary

_START_SECONDS = 20.0
_POLL_SECONDS = 0.1
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) ")
_MOST_FINDINGS = 20


class RunError(UserError):
    """A run that cannot be started or stopped."""


class Runner:
    """Starts one run at a time, as a process `siamese run`, which goes on without the interface.

    Args:
        config: The configuration's file.
        settings: What it says.
        overrides: Of its keys.
        output: Gets what the process prints.
    """

    def __init__(
        self, config: Path, settings: RunConfig, overrides: Sequence[str], output: Path
    ) -> None:
        self._command = [sys.executable, "-m", "pipeline", "run", str(config)]
        self._command += [f"--set={one}" for one in overrides]
        self._root, self._output = settings.root, output
        self._lock = threading.Lock()
        self._child: subprocess.Popen | None = None

    @property
    def is_ours(self) -> bool:
        """Whether a run is in progress that was started here."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start a run, and wait until it has a folder.

        Raises:
            RunError: Another one is in progress, or this one has ended at once.
        """
        with self._lock:
            if self.is_ours or is_locked(self._root):
                raise RunError("a run is in progress already; wait until it ends")
            before = set(configurations(self._root))
            with self._output.open("wb") as output:
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, "COLUMNS": "10000"},
                )
            end = time.monotonic() + _START_SECONDS
            while set(configurations(self._root)) == before and time.monotonic() < end:
                if self._child.poll() not in (None, 0):
                    printed = self._output.read_text("utf-8", "replace").strip()
                    raise RunError(printed.removeprefix("Error: ") or "the run ended at once")
                time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stop the run that was started here.

        Raises:
            RunError: There is none.
        """
        if self._child is None or self._child.poll() is not None:
            raise RunError("no run is in progress that was started here; stop it where it was")
        self._child.send_signal(signal.SIGTERM)


class Watch:
    """The progress of a run, from its log.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._position, self._rest = folder, 0, b""
        self._now: float | None = None
        self._findings: list[str] = []
        self._tracker = Tracker(Console(file=io.StringIO()), self._clock)

    def look(self) -> dict[str, Any]:
        """Return the components' progress and, once the run has ended, its outcome.

        Without a summary it was interrupted unless a process holds the pipeline's folder.
        """
        # A summary is written under the lock, and both come before the log, which is complete then.
        interrupted = not is_locked(self._folder.parent.parent)
        summary = Summary.read(self._folder)
        self._read()
        if summary is not None and summary.outcome and summary.failure:
            self._tracker.fail()
        steps = [
            {**step._asdict(), "outcome": step.outcome and step.outcome.value}
            for step in self._tracker.steps()
        ]
        ended = None
        if summary is not None:
            ended = summary.outcome.value if summary.outcome else "no verdict"
        elif interrupted:
            ended = Outcome.INTERRUPTED.value
        return {"steps": steps, "findings": self._findings, "outcome": ended}

    def _read(self) -> None:
        try:
            with (self._folder / LOG).open("rb") as log:
                log.seek(self._position)
                new = log.read()
        except FileNotFoundError:
            return
        self._position += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace")
            if found := _TIME.match(text):
                self._now = _seconds(*found.groups())
            if text.startswith(FINDING) and len(self._findings) < _MOST_FINDINGS:
                self._findings.append(text[len(FINDING) :])
            self._tracker.read(text)
        self._now = None

    def _clock(self) -> float:
        """Return the time of the line that is read; else the present time."""
        return time.time() if self._now is None else self._now


def _seconds(text: str, milliseconds: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").timestamp() + int(milliseconds) / 1000
