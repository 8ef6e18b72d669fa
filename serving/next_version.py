"""Writes a model's next version, which is complete when a server first sees it."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from base.errors import UserError
from storage.model_versions import SAVED_MODEL, is_version_number, newest_version

TEMPORARY = ".candidate-"
"""Prefix of a folder that is being written or deleted; no server takes it for a version."""
_ABANDONED_SECONDS = 24 * 3600
EARLIEST_UNIX_SECONDS = 1_000_000_000
"""Versions below are counted, not Unix times."""


class VersionError(UserError):
    """A model that does not exist, or no next version of which can be written."""


def version_folder(model: Path) -> Path:
    """Return the version that a path names: itself, or the newest one below a base path.

    Raises:
        VersionError: There is no version.
    """
    if not model.is_dir():
        raise VersionError(f"{model}: there is no such folder; give a model's version or base path")
    if _is_version(model):
        return model
    newest = newest_version(model)
    if newest is None:
        raise VersionError(
            f"{model}: holds neither a SavedModel ({SAVED_MODEL}) nor versions of one"
        )
    return Path(newest)


class NextVersion:
    """The version that will follow another.

    Its number is higher than that one's and all in the base path: the Unix time, as the Pusher's,
    so that a later push is newer; the next number if versions are counted from 1.

    Args:
        source: Folder of the version.
        output: Base path for the next one, a local folder; default: that of `source`.

    Raises:
        VersionError: `output` is a version, or is left out though `source` is in no base path.
    """

    def __init__(self, source: Path, output: Path | None = None) -> None:
        source = source.absolute()  # the link's own place, not its target
        if output is None and not is_version_number(source.name):
            raise VersionError(
                f"{source}: its name is no version number; give the base path of the "
                "new version by --output"
            )
        self._base = output or source.parent
        if _is_version(self._base):
            raise VersionError(f"{output}: is a version; give the folder that holds the versions")
        self._present = self._versions()
        taken = self._present | ({int(source.name)} if is_version_number(source.name) else set())
        self.path = self._base / str(_next(max(taken, default=0)))

    @contextlib.contextmanager
    def candidate(self) -> Iterator[Path]:
        """Yield the path at which to write the version; publish it unless an error is raised.

        The path ends in the version's number, and its parent folder holds nothing else, so that a
        server can be started with the parent as base path.

        Raises:
            VersionError: Another version has appeared: one of the two would hide the other.
            OSError: The base path cannot be written.
        """
        self._base.mkdir(parents=True, exist_ok=True)
        self._clean_up()
        # In the base path, since a rename does not cross file systems.
        folder = self._base / f"{TEMPORARY}{uuid.uuid4().hex}"
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
        raise VersionError(f"{self._base}: version {newest} has appeared meanwhile; start again")

    def _versions(self) -> set[int]:
        """Return the versions in the base path, incomplete ones included."""
        return {int(path.name) for path in self._base.glob("*") if is_version_number(path.name)}

    def _clean_up(self) -> None:
        """Remove the folders of killed processes."""
        for path in self._base.glob(f"{TEMPORARY}*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                    shutil.rmtree(path)


def _next(newest: int) -> int:
    if 0 < newest < EARLIEST_UNIX_SECONDS:
        return newest + 1
    return max(newest + 1, int(time.time()))


def _is_version(folder: Path) -> bool:
    return (folder / SAVED_MODEL).exists()
