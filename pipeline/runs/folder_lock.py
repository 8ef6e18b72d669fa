"""Lets one run at a time use a pipeline's folder, with its metadata and unfinished training."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from base.errors import UserError

FILE = "lock"
"""The locked file; it names the process that holds it. The lock ends with its processes."""


_TRIES, _PAUSE = 5, 0.02


class FolderInUse(UserError):
    """Another run holds the folder."""

    exit_code = 1


def is_locked(folder: Path) -> bool:
    """Return whether a run holds a pipeline's folder."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as e:
        return isinstance(e, BlockingIOError)
    finally:
        os.close(descriptor)
    return False


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold a pipeline's folder against other runs until the context ends.

    Args:
        folder: Created if it is missing.

    Yields:
        The lock's file descriptor. A process that inherits it holds the lock too, and so keeps it
        if this one is killed.

    Raises:
        FolderInUse: Another run holds it.
        OSError: The folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            _lock(descriptor)
        except BlockingIOError:
            holder = os.read(descriptor, 1000).decode("utf-8", "replace").strip()
            raise FolderInUse(
                f"{folder}: another run is in progress ({holder or 'unknown process'}); wait until "
                "it ends, or stop it (if it was killed: its process pipeline.runs.launch)"
            ) from None
        except OSError as e:  # some network file systems have no locks
            raise OSError(e.errno, f"cannot be locked: {e.strerror}", str(folder)) from e
        os.truncate(descriptor, 0)
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        os.write(
            descriptor, f"process {os.getpid()} on {socket.gethostname()}, since {since}\n".encode()
        )
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Take the lock; try again for a moment, since `is_locked` of another process holds it too."""
    for left in reversed(range(_TRIES)):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_PAUSE)
