"""Records answers as they arrive, so that a run that was killed goes on where it stopped.

A file of JSON lines: the first says what was asked, each other one is an answer.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from base.errors import UserError

_CHUNK = 2**16
"""Bytes that are searched at once for the end of the last whole line."""


class Journal:
    """The answers so far.

    Args:
        path: Of its file, which is created if there is none.
        asked: What was asked, as values of JSON; a journal of something else is not continued.

    Attributes:
        done: Names of the images with an answer.

    Raises:
        UserError: The file is of something else, or another process is writing it.
    """

    def __init__(self, path: Path, asked: Mapping[str, Any]) -> None:
        self.path, self.done = path, set[str]()
        try:
            self._file = path.open("a+b")
        except OSError as e:
            raise UserError(f"{path}: cannot be written ({e.strerror}); name another file") from e
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            self._file.close()
            raise UserError(f"{path}: another process is writing this file; wait for it") from e
        self._drop_half_a_line()
        self._file.seek(0)
        if not (first := self._file.readline()):
            self._write(asked)
        elif json.loads(first) != dict(asked):
            self._file.close()
            raise UserError(
                f"{path}: has the answers to something else ({first.decode().strip()}); delete it "
                "to start anew"
            )
        self.done = {row["image"] for row in self.rows()}

    def add(self, row: Mapping[str, Any]) -> None:
        """Record an answer: values of JSON, with the name of its `image`."""
        self._write(row)
        self.done.add(row["image"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield all answers, in the order of their arrival."""
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                yield json.loads(line)

    def close(self) -> None:
        """Leave the file for a later run."""
        self._file.close()

    def delete(self) -> None:
        """Delete the file, which is no longer needed."""
        self.path.unlink()
        self._file.close()

    def _write(self, row: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()

    def _drop_half_a_line(self) -> None:
        """Cut off what a killed process did not finish."""
        end = self._file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _CHUNK)
            self._file.seek(start)
            newline = self._file.read(end - start).rfind(b"\n")
            end = start + newline + 1
            if newline >= 0:
                break
        self._file.truncate(end)
