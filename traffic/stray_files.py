"""Files of images that are in no row, which a process leaves that is killed while it keeps one."""

from __future__ import annotations

import contextlib
import time

from traffic.store import TrafficStore

_OLD_SECONDS = 3600.0


def remove_stray_files(store: TrafficStore) -> int:
    """Remove such files if they are older than an hour: another process may be about to add a row.

    Returns:
        How many were removed.
    """
    removed, before = 0, time.time() - _OLD_SECONDS
    for path in (store.folder / "images").glob("*/*"):
        complete = not path.name.startswith(".")
        if complete and store.image(path.name) is not None:
            continue
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()
                removed += 1
    return removed
