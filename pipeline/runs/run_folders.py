"""The runs of a pipeline: each has a folder `runs/<id>` in the pipeline's, named by the run's id.

A run that ended has written its summary there. Without one, the run is running while a process
holds the pipeline's lock, and was interrupted otherwise.
"""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timezone
from pathlib import Path

from base.errors import UserError
from pipeline.config.reading import dump
from pipeline.config.run_config import RunConfig
from pipeline.runs.folder_lock import is_locked
from pipeline.runs.history import HistoryError, read_run
from pipeline.runs.outcome import Outcome
from pipeline.runs.summary import Summary

FOLDER, CONFIG, LOG = "runs", "config.yaml", "log.txt"

LATEST, PREVIOUS = "latest", "previous"
"""In place of an id: the newest run, and the one before it."""

_ID = "%Y%m%d-%H%M%S"


class NoSuchRun(UserError):
    """There is no such run; the message names what there is instead."""


def create_run_folder(config: RunConfig) -> Path:
    """Create a new run's folder, which holds its effective configuration.

    Raises:
        OSError: It cannot be written.
    """
    name = datetime.now(timezone.utc).strftime(_ID)
    for suffix in ("", *(f"-{n}" for n in range(2, 100))):
        folder = config.root / FOLDER / (name + suffix)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            # Renamed at the end: a folder with a configuration is a run.
            unfinished = folder / f".{CONFIG}"
            unfinished.write_text(dump(config), encoding="utf-8")
            os.replace(unfinished, folder / CONFIG)
            return folder
    raise UserError(f"{config.root}: too many runs started in one second; try again")


def configurations(root: Path) -> list[Path]:
    """Return the configuration of each run of a pipeline; other folders are no runs."""
    return [path for path in (root / FOLDER).glob(f"*/{CONFIG}") if path.is_file()]


def list_runs(root: Path, name: str, limit: int | None = None) -> list[Summary]:
    """Return the runs of a pipeline, the newest first.

    Args:
        root: The pipeline's folder.
        name: The pipeline's name.
        limit: Maximum number of runs.
    """
    # Before the folders and summaries, which are written under the lock.
    locked = is_locked(root)
    folders = [path.parent for path in configurations(root)]
    folders.sort(key=_order, reverse=True)
    found = []
    for i, folder in enumerate(folders[:limit]):
        summary = Summary.read(folder)
        if summary is None:
            running = i == 0 and locked
            summary = Summary(
                id=folder.name,
                name=name,
                started=_started(folder),
                unfinished=Outcome.RUNNING if running else Outcome.INTERRUPTED,
                serving_root=str(root / "serving"),
            )
        found.append(summary)
    return found


def find_run(root: Path, name: str, run_id: str | None = None) -> Summary:
    """Return one run of a pipeline.

    Args:
        root: The pipeline's folder.
        name: The pipeline's name.
        run_id: The run's id, `latest` or `previous`; None: the latest.

    Raises:
        NoSuchRun: There is none.
    """
    runs = list_runs(root, name)
    if not runs:
        raise NoSuchRun(f"{name} has no runs in {root}; start one: siamese run")
    if run_id == PREVIOUS and len(runs) == 1:
        raise NoSuchRun(f"{name} has only one run, {runs[0].id}")
    found: dict[str | None, Summary] = {run.id: run for run in runs}
    found |= {None: runs[0], LATEST: runs[0], PREVIOUS: runs[min(1, len(runs) - 1)]}
    if run_id not in found:
        raise NoSuchRun(f"{name} has no run {run_id}; the latest is {runs[0].id}")
    run = found[run_id]
    if run.unfinished:
        with contextlib.suppress(HistoryError):
            components = read_run(root / "metadata.sqlite", name, run.id)
            return run.model_copy(update={"run": components})
    return run


def _order(folder: Path) -> tuple[str, int]:
    """Order runs that started in the same second by their count: x-2 before x-10."""
    start, count = folder.name[:15], folder.name[16:]
    return start, int(count) if count.isdigit() else 0


def _started(folder: Path) -> datetime:
    try:
        found = datetime.strptime(folder.name[:15], _ID)
    except ValueError:
        found = datetime.fromtimestamp(folder.stat().st_mtime, timezone.utc)
    return found.replace(tzinfo=timezone.utc)
