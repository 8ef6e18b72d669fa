"""Compares two judged runs: their metrics, and what was changed between them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from base.errors import UserError
from components.image_example_gen.report import IngestionReport
from components.judge.judgement_files import read_image_outcomes, read_pair_outcomes
from judging.comparison import JudgementComparison, Part, compare_judgements
from judging.judge import Judged
from pipeline.config.errors import ConfigError
from pipeline.config.reading import read_yaml
from pipeline.gate.verdict import with_infra_check
from pipeline.runs.finished_run import JudgedRun
from pipeline.runs.outcome import Outcome
from records import features
from storage.file_systems import open_file

ABSENT = "(absent)"
"""In place of a value that a side does not have."""


class Side(Part):
    """One of the two runs.

    Attributes:
        name: Of the pipeline, or the folder of a judgement alone.
        run: Its id; empty for a judgement alone.
        started: When, in ISO 8601.
        outcome: The verdict.
        reasons: Why.
        images: Number of images that it was judged on.
    """

    name: str
    run: str
    started: str
    outcome: Outcome
    reasons: tuple[str, ...]
    images: int


class Change(Part):
    """A value that differs; `ABSENT` if a side has none."""

    key: str
    first: Any
    second: Any


class Comparison(JudgementComparison):
    """The comparison of two runs.

    Attributes:
        first: The first run.
        second: The second.
        configuration: Changes of the configuration; None if a side's is not kept.
        data: Changes of the numbers of images; None if a side's are not known.
    """

    first: Side
    second: Side
    configuration: tuple[Change, ...] | None
    data: tuple[Change, ...] | None


class NothingNoted(UserError):
    """A judgement without the outcomes of single images."""


def compare(first: JudgedRun, second: JudgedRun) -> Comparison:
    """Compare two runs.

    Raises:
        NothingNoted: The outcomes of single images are gone.
    """
    try:
        judgements = compare_judgements(_judged(first), _judged(second))
    except FileNotFoundError as e:
        raise NothingNoted(
            f"{e.filename or e}: is gone; without it, runs cannot be compared image by image"
        ) from e
    notes = list(judgements.notes)
    configuration = _changes(_configuration(first, notes), _configuration(second, notes))
    data = _changes(_counts(first, notes), _counts(second, notes))
    return Comparison(
        **{**dict(judgements), "notes": tuple(notes)},
        first=_side(first),
        second=_side(second),
        configuration=configuration,
        data=data,
    )


def _judged(run: JudgedRun) -> Judged:
    return Judged(run.judgement, read_image_outcomes(run.uri), read_pair_outcomes(run.uri))


def _side(run: JudgedRun) -> Side:
    verdict = with_infra_check(run.judgement.verdict, run.run)
    return Side(
        name=run.name or run.uri,
        run=run.id,
        started=run.summary.started.isoformat() if run.summary else "",
        outcome=Outcome(verdict.outcome),
        reasons=verdict.reasons,
        images=run.judgement.images,
    )


def _configuration(run: JudgedRun, notes: list[str]) -> dict[str, Any] | None:
    """Return the effective configuration, its keys joined by dots."""
    with contextlib.suppress(ConfigError):
        if run.folder:
            return dict(_flat(read_yaml(run.folder / "config.yaml")))
    notes.append(f"the configuration of {run.words} is not kept")
    return None


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat += _flat(value, f"{above}{key}.")
        else:
            flat.append((f"{above}{key}", value))
    return flat


def _counts(run: JudgedRun, notes: list[str]) -> dict[str, Any] | None:
    """Return numbers of images by split, and by class and split, and of excluded files."""
    uri = run.output("ImageExampleGen", "examples")
    try:
        report = _report(uri) if uri else None
    except OSError:
        report = None
    if report is None:
        notes.append(f"the images of {run.words} are not known")
        return None
    counts: dict[str, Any] = {"root": report.root}
    for split in features.SPLITS:
        counts[split] = report.images_in(split)
    counts["excluded files"] = len(report.excluded)
    for label, of_class in report.classes.items():
        counts |= {f"class {label}, {split}": of_class[split] for split in features.SPLITS}
    return counts


def _report(uri: str) -> IngestionReport:
    # Without TFX's file systems, whose import takes seconds.
    with open_file(os.path.join(uri, IngestionReport.FILE)) as file:
        return IngestionReport.model_validate_json(file.read())


def _changes(
    first: dict[str, Any] | None, second: dict[str, Any] | None
) -> tuple[Change, ...] | None:
    if first is None or second is None:
        return None
    keys = [*first, *(key for key in second if key not in first)]
    couples = ((key, first.get(key, ABSENT), second.get(key, ABSENT)) for key in keys)
    return tuple(Change(key=k, first=a, second=b) for k, a, b in couples if a != b)
