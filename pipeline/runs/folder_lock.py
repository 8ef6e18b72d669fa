"""One run of a pipeline at a time: its folder holds the metadata and the unfinished training."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from base.errors import UserError

FILE = "lock"
"""In the folder: who holds it, in words. The lock is on this file, and ends with its holders."""


class FolderInUse(UserError):
    """Another run holds the folder; the message says which."""

    exit_code = 1


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold a pipeline's folder against other runs until the context ends.

    Args:
        folder: Made, if it is missing.

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
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 1000).decode("utf-8", "replace").strip()
            raise FolderInUse(
                f"{folder}: another run is under way ({holder or 'who it is, is not known'}); wait "
                "for its end, or stop it (if it was killed: its process pipeline.runs.launch)"
            ) from None
        except OSError as e:  # not every file system of a network has locks
            raise OSError(e.errno, f"it cannot be locked: {e.strerror}", str(folder)) from e
        os.truncate(descriptor, 0)
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        os.write(
            descriptor, f"process {os.getpid()} on {socket.gethostname()}, since {since}\n".encode()
        )
        yield descriptor
    finally:
        os.close(descriptor)
