"""Changes of the model's classes: prepared by `siamese enroll`, looked at, and then published.

The process that prepares a version loads TensorFlow and gives its memory back. It writes the
version to a folder of its own; publishing copies that into the model's base path, where servers
find it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from base.errors import UserError
from pipeline.runs.child_process import stop
from serving.next_version import NextVersion, VersionError

_MOST_LINES = 12


class ChangeError(UserError):
    """A change that cannot be made now."""


class Change(NamedTuple):
    """What is changed.

    Attributes:
        add: Files by class, each with the name that it gets; all classes are new, or none is.
        extend: Whether the classes of `add` exist already.
        remove: Classes.
        remove_images: Names of support images.
        move: Names of support images, and the class of each.
        test: A folder of labelled images that the gate judges the version on; empty: it does not.
    """

    add: Mapping[str, Sequence[tuple[Path, str]]]
    extend: bool
    remove: Sequence[str]
    remove_images: Sequence[str]
    move: Mapping[str, str]
    test: str = ""


class Changing:
    """One change at a time; threads may share it.

    Args:
        folder: A folder of its own.
        config: The configuration's file, by which versions are judged.
        overrides: Of its keys.
    """

    def __init__(self, folder: Path, config: Path, overrides: Sequence[str] = ()) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._judged_by = [f"--config={config}", *(f"--set={one}" for one in overrides)]
        self._child: subprocess.Popen[str] | None = None
        self._state: dict[str, Any] = {"state": "none"}

    def state(self) -> dict[str, Any]:
        """Return what has become of the change.

        `state` is `none`, `preparing` (with `seconds`), `prepared` (with `enrolled`, what `siamese
        enroll --json` prints) or `failed` (with `error`).
        """
        with self._lock:
            if self._state["state"] == "preparing":
                return {"state": "preparing", "seconds": time.monotonic() - self._state["since"]}
            return dict(self._state)

    def prepare(self, base: Path, change: Change) -> None:
        """Begin to prepare a version; the one that was prepared before is forgotten.

        Args:
            base: The model's base path.
            change: What is changed.

        Raises:
            ChangeError: Another change is being prepared.
        """
        with self._lock:
            if self._state["state"] == "preparing":
                raise ChangeError("another change is being prepared; wait for it or discard it")
            shutil.rmtree(self._folder, ignore_errors=True)
            folders = [
                _write(self._folder / "images" / label, f) for label, f in change.add.items()
            ]
            command = _command(base, self._folder / "versions", folders, change)
            if change.test:
                command += [f"--test={change.test}", *self._judged_by]
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                env={**os.environ, "COLUMNS": "10000"},
            )
            self._child = child
            self._state = {"state": "preparing", "since": time.monotonic()}
        threading.Thread(target=self._wait, args=[child], daemon=True).start()

    def _wait(self, child: subprocess.Popen[str]) -> None:
        out, err = child.communicate()
        with self._lock:
            if child is not self._child:
                return  # discarded
            self._child = None
            if child.returncode == 0:
                self._state = {"state": "prepared", "enrolled": json.loads(out)}
            else:
                lines = [line for line in err.splitlines() if line.strip()]
                first = next((i for i, line in enumerate(lines) if line.startswith("Error: ")), 0)
                why = "\n".join(lines[first:][:_MOST_LINES]).removeprefix("Error: ")
                self._state = {"state": "failed", "error": why or f"exit code {child.returncode}"}

    def publish(self) -> Path:
        """Copy the prepared version into its base path; return its folder there.

        Raises:
            ChangeError: None is prepared.
            VersionError: Another version has appeared since it was prepared.
            OSError: It cannot be written.
        """
        with self._lock:
            if self._state["state"] != "prepared":
                raise ChangeError("no change is prepared")
            enrolled = self._state["enrolled"]
            source = Path(enrolled["model"])
            version = NextVersion(source)
            if any(int(path.name) > int(source.name) for path in _versions(source.parent)):
                raise VersionError(
                    f"{source.parent}: another version has appeared since the change was prepared; "
                    "prepare it again"
                )
            with version.candidate() as candidate:
                shutil.copytree(enrolled["version"], candidate)
            self._forget()
            return version.path

    def discard(self) -> None:
        """Forget the change, and end its preparation."""
        with self._lock:
            child, self._child = self._child, None
            if child is not None:
                stop(child)
            self._forget()

    def _forget(self) -> None:
        self._state = {"state": "none"}
        shutil.rmtree(self._folder, ignore_errors=True)


def _versions(base: Path) -> list[Path]:
    return [path for path in base.iterdir() if path.name.isascii() and path.name.isdigit()]


def _write(folder: Path, files: Sequence[tuple[Path, str]]) -> Path:
    """Link the files of a class into its folder, each by a name of its own."""
    folder.mkdir(parents=True)
    for file, name in files:
        target, count = folder / name, 2
        while target.exists():
            target = folder / f"{Path(name).stem}-{count}{Path(name).suffix}"
            count += 1
        shutil.copyfile(file, target)
    return folder


def _command(base: Path, output: Path, folders: Sequence[Path], change: Change) -> list[str]:
    options = ["--model", str(base), "--output", str(output), "--json"]
    options += [f"--images={folder}" for folder in folders]
    options += [f"--remove={label}" for label in change.remove]
    options += [f"--remove-image={name}" for name in change.remove_images]
    options += [f"--move-image={name}={label}" for name, label in change.move.items()]
    if change.extend:
        options.append("--extend")
    return [sys.executable, "-m", "pipeline", "enroll", *options]
