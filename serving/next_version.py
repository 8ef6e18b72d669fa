"""Gives a model its next version, which is complete at the moment at which a server can see it."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from base.errors import UserError
from storage.model_versions import SAVED_MODEL, newest_version

_TEMPORARY = ".candidate-"
"""Begins the name of a folder that is being written; no server takes it for a version."""
_ABANDONED_SECONDS = 24 * 3600
_EARLIEST_UNIX_SECONDS = 1_000_000_000
"""Smaller versions are counted by someone, not seconds."""


class VersionError(UserError):
    """There is no such model, or no next version can be written; the message says why."""


def version_folder(model: Path) -> Path:
    """The version that a path means: itself, or the newest one below a base path.

    Raises:
        VersionError: There is none.
    """
    if not model.is_dir():
        raise VersionError(f"{model}: there is no such folder; name a model's version or base path")
    if _is_version(model):
        return model
    newest = newest_version(model)
    if newest is None:
        raise VersionError(f"{model}: holds no SavedModel (no {SAVED_MODEL}), nor versions of one")
    return Path(newest)


class NextVersion:
    """A version that is to follow another.

    Its number is higher than that one's and all in the base path: unix seconds, as the Pusher's, so
    that what is pushed later is newer; where versions are counted from 1, the next count.

    Args:
        source: The version's folder.
        output: Base path for the next one, a local folder; that of `source`, if left out.

    Raises:
        VersionError: `output` is no base path, or is left out though `source` is in none.
    """

    def __init__(self, source: Path, output: Path | None = None) -> None:
        source = source.absolute()  # a link is where it is, not where it leads
        if output is None and not _is_number(source.name):
            raise VersionError(
                f"{source}: is not named by a version; say by --output where the new one is to be"
            )
        self._base = output or source.parent
        if _is_version(self._base):
            raise VersionError(f"{output}: is a version; name the folder that holds the versions")
        self._present = self._versions()
        taken = self._present | ({int(source.name)} if _is_number(source.name) else set())
        self.path = self._base / str(_next(max(taken, default=0)))

    @contextlib.contextmanager
    def candidate(self) -> Iterator[Path]:
        """Gives the path at which to write the version; publishes it, unless an error is raised.

        The path is named by the version, and there is nothing else in the folder that holds it: so
        a server can be started on that one as a base path.

        Raises:
            VersionError: Another version has appeared, which would hide this one or be hidden.
            OSError: The base path cannot be written.
        """
        self._base.mkdir(parents=True, exist_ok=True)
        self._clean_up()
        # In the base path: elsewhere may be another file system.
        folder = self._base / f"{_TEMPORARY}{uuid.uuid4().hex}"
        folder.mkdir()
        try:
            yield folder / self.path.name
            self._publish(folder / self.path.name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _publish(self, candidate: Path) -> None:
        if not (appeared := self._versions() - self._present):
            try:
                candidate.rename(self.path)
                return
            except OSError:
                if not self.path.exists():
                    raise
        newest = max(appeared, default=self.path.name)
        raise VersionError(f"{self._base}: version {newest} has appeared meanwhile; do it again")

    def _versions(self) -> set[int]:
        """Half ones too."""
        return {int(path.name) for path in self._base.glob("*") if _is_number(path.name)}

    def _clean_up(self) -> None:
        """Remove what was left by a process that was killed."""
        for path in self._base.glob(f"{_TEMPORARY}*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                    shutil.rmtree(path)


def _next(newest: int) -> int:
    if 0 < newest < _EARLIEST_UNIX_SECONDS:
        return newest + 1
    return max(newest + 1, int(time.time()))


def _is_version(folder: Path) -> bool:
    return (folder / SAVED_MODEL).exists()


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()
