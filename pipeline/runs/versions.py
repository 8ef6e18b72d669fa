"""The versions in a base path: what they were made of, how they were judged, and their labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, NamedTuple

from base.errors import UserError
from pipeline import log_noise
from pipeline.config import reading
from pipeline.runs.run_folders import list_runs
from pipeline.runs.summary import Summary
from serving.next_version import EARLIEST_UNIX_SECONDS
from serving.promotion import Shelf
from storage.file_systems import is_remote
from storage.lineage import Figure, Lineage, Verdict, read_lineage
from storage.model_versions import SAVED_MODEL, is_version_number

_MAIN = ("class_accuracy", "auc", "open_set_auc", "worst_class_recall", "accuracy")
"""Metrics in the order of what they say about a model that is served."""

_MOST_FIGURES = 3

UNKNOWN: Literal["unknown"] = "unknown"


class VersionInfo(Lineage):
    """What is known of a version: its lineage, that of the run that pushed it, or nothing.

    Attributes:
        version: Its number.
        path: Its folder or address.
        labels: Such as `stable`.
        loaded: Whether servers that follow the labels load it; without labels, the newest is.
    """

    version: int
    path: str
    labels: tuple[str, ...] = ()
    loaded: bool = False

    @property
    def main_figures(self) -> dict[str, Figure]:
        """Three metrics at most, by name."""
        figures = self.verdict.figures if self.verdict else {}
        known = [name for name in _MAIN if name in figures]
        return {name: figures[name] for name in known[:_MOST_FIGURES]}

    @property
    def origin(self) -> str:
        """Where it comes from, in a few words."""
        of = f" of {self.parent}" if self.parent else ""
        if self.made_by == "run":
            return f"run {self.run}" if self.run else "a run"
        return UNKNOWN if self.made_by == UNKNOWN else f"{self.made_by}{of}"


class Place(NamedTuple):
    """Where versions are.

    Attributes:
        base_path: A local folder or an address.
        name: The pipeline's name; empty if a folder was named.
        runs: The pipeline's runs, the newest first; none if a folder was named.
    """

    base_path: str
    name: str = ""
    runs: Sequence[Summary] = ()


def find_place(where: str, overrides: Sequence[str] = ()) -> Place:
    """Return where the versions of a configuration, or those in a folder, are.

    Args:
        where: A YAML file; or a base path, or one of its versions, also as an address.
        overrides: Of the configuration.

    Raises:
        UserError: There is neither.
    """
    if not is_remote(where) and os.path.isfile(where):
        settings = reading.load(where, overrides)
        runs = list_runs(Path(settings.root), settings.name)
        return Place(_quiet(settings.serving_root), settings.name, runs)
    if overrides:
        raise UserError("--set needs a configuration, which it changes")
    if not is_remote(where) and not os.path.isdir(where):
        raise UserError(
            f"{where}: there is no such file or folder; name a YAML file or a base path"
        )
    where = where.rstrip("/")
    if is_version_number(os.path.basename(where)) and os.path.isfile(f"{where}/{SAVED_MODEL}"):
        where = os.path.dirname(os.path.abspath(where))
    return Place(_quiet(where))


def _quiet(base_path: str) -> str:
    """Return the base path; TensorFlow, which reads gs://, logs nothing then."""
    if is_remote(base_path):
        log_noise.quiet()
    return base_path


def list_versions(shelf: Shelf, runs: Iterable[Summary] = ()) -> list[VersionInfo]:
    """Return what is known of each version, the newest first.

    Args:
        shelf: The versions.
        runs: The pipeline's runs, which know of versions without a lineage.
    """
    pushed = _pushed_by(runs)
    labels = shelf.labels
    held = labels.loaded or labels.versions.values() or (shelf.served,)
    return [
        VersionInfo(
            version=number,
            path=path,
            labels=tuple(one for one, named in labels.versions.items() if named == number),
            loaded=number in held,
            **dict(_origin(number, path, pushed.get(number))),
        )
        for number, path in shelf.versions.items()
    ]


def _pushed_by(runs: Iterable[Summary]) -> dict[int, Summary]:
    """Return the run that pushed each version: the oldest, since others took it from the cache."""
    found = {}
    for summary in runs:
        name = os.path.basename((summary.run and summary.run.pushed) or "")
        if is_version_number(name):
            found[int(name)] = summary
    return found


def _origin(number: int, path: str, run: Summary | None) -> Lineage:
    """Return where a version comes from."""
    if lineage := read_lineage(path):
        return lineage
    # Until 0.2 versions had no lineage. Their numbers are Unix times.
    made = None
    if number >= EARLIEST_UNIX_SECONDS:
        made = datetime.fromtimestamp(number, timezone.utc)
    if run is None:
        return Lineage(made_by=UNKNOWN, made=made)
    return Lineage(made_by="run", made=made, pipeline=run.name, run=run.id, verdict=_verdict(run))


def _verdict(run: Summary) -> Verdict | None:
    if run.verdict is None:
        return None
    figures = {name: Figure(**one.model_dump()) for name, one in run.metrics.items()}
    return Verdict(
        outcome=run.verdict.outcome, reasons=run.verdict.reasons, figures=figures, time=run.started
    )
