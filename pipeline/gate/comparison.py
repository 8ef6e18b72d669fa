"""Two judged runs side by side: what each came to, and what was changed between them.

Differences are the second run's less the first's. Those of class accuracy and of pairs are measured
anew on the images and pairs that both were judged on, each image against itself; what cannot be
told from the notes of single images is set beside each other as it was judged.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from base.errors import UserError
from components.image_example_gen.report import IngestionReport
from components.judge.judgement_files import read_image_outcomes, read_pair_outcomes
from judging.judgement import ImageOutcome, Judgement, Measure, PairOutcome
from judging.settings import METRICS
from judging.statistics import paired
from pipeline.gate.verdict import with_infra_check
from pipeline.runs.finished_run import JudgedRun
from pipeline.runs.outcome import Outcome
from records import features
from storage.file_systems import open_text

ABSENT = "(absent)"
"""In place of a value that a side does not have."""

_ANEW = ("auc", "accuracy", "precision", "recall", "equal_error_rate", "class_accuracy")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")


class Side(_Part):
    """One of the two.

    Attributes:
        name: Of the pipeline, or the folder of a judgement alone.
        run: Its id; empty for a judgement alone.
        started: When, in ISO 8601.
        outcome: The verdict.
        reasons: Why.
        images: That it was judged on.
    """

    name: str
    run: str
    started: str
    outcome: Outcome
    reasons: tuple[str, ...]
    images: int


class Shared(_Part):
    """How far both were judged on the same images.

    Attributes:
        both: Images that both were judged on.
        only_first: Images of the first alone.
        only_second: Images of the second alone.
        relabelled: Images of both, whose class was changed; they are not compared.
        pairs: Pairs that both were judged on.
    """

    both: int
    only_first: int
    only_second: int
    relabelled: int
    pairs: int

    @property
    def all(self) -> bool:
        """Whether they are the very same images."""
        return not (self.only_first or self.only_second or self.relabelled)


class Metric(_Part):
    """A metric of both.

    Attributes:
        name: As in `thresholds`, or a class's name.
        first: Of the first; None where it could not be measured.
        second: Of the second.
        difference: None where the two cannot be compared.
        paired: Whether each image was compared with itself; else the interval is a wide one.
    """

    name: str
    first: Measure | None
    second: Measure | None
    difference: Measure | None = None
    paired: bool = False


class Turned(_Part):
    """An image that one of them told rightly and the other wrongly."""

    source: str
    label: str
    first: str
    second: str


class Change(_Part):
    """A value that is another one; `ABSENT` where a side has none."""

    key: str
    first: Any
    second: Any


class Comparison(_Part):
    """All that was compared.

    Attributes:
        first: The first run.
        second: The second.
        shared: How far they were judged on the same images.
        metrics: Of the images.
        classes: Recall by class, of the images that both were judged on.
        mended: Images that the second tells rightly and the first did not.
        broken: Images that the first told rightly and the second does not.
        configuration: What was changed in it; None where a side's is not kept.
        data: What was changed in the counts of images; None where a side's are not known.
        notes: What could not be compared, and why.
    """

    first: Side
    second: Side
    shared: Shared
    metrics: tuple[Metric, ...]
    classes: tuple[Metric, ...]
    mended: tuple[Turned, ...]
    broken: tuple[Turned, ...]
    configuration: tuple[Change, ...] | None
    data: tuple[Change, ...] | None
    notes: tuple[str, ...]


class NothingNoted(UserError):
    """A judgement without its notes of single images."""


def compare(first: JudgedRun, second: JudgedRun) -> Comparison:
    """Compare two runs.

    Raises:
        NothingNoted: The notes of single images are gone.
    """
    notes: list[str] = []
    images = _Both(_images(first), _images(second))
    lines = _pairs_of_both(first, second)
    shared = Shared(
        both=len(images.names),
        only_first=len(images.one.keys() - images.other.keys()),
        only_second=len(images.other.keys() - images.one.keys()),
        relabelled=images.relabelled,
        pairs=len(lines[0]),
    )
    if not shared.all:
        notes.append(
            f"they were judged on different images: {shared.both} are compared, which both were "
            "judged on"
        )
    classes = _classes(images)
    metrics = _metrics(first.judgement, second.judgement, images, lines, shared)
    turned = [
        [
            Turned(source=a.source, label=a.label, first=a.predicted, second=b.predicted)
            for a, b in images.couples
            if right == (b.predicted == b.label) and right != (a.predicted == a.label)
        ]
        for right in (True, False)
    ]
    configuration = _changes(_configuration(first, notes), _configuration(second, notes))
    data = _changes(_counts(first, notes), _counts(second, notes))
    return Comparison(
        first=_side(first),
        second=_side(second),
        shared=shared,
        metrics=tuple(metrics),
        classes=tuple(classes),
        mended=tuple(turned[0]),
        broken=tuple(turned[1]),
        configuration=configuration,
        data=data,
        notes=tuple(notes),
    )


class _Both(NamedTuple):
    """What both judgements have noted of single images, by id."""

    one: dict[str, ImageOutcome]
    other: dict[str, ImageOutcome]

    @property
    def names(self) -> list[str]:
        """Images of both, that both could tell, in order."""
        return sorted(
            name
            for name in self.one.keys() & self.other.keys()
            if self.one[name].label == self.other[name].label
            and not math.isnan(self.one[name].own_score + self.other[name].own_score)
        )

    @property
    def relabelled(self) -> int:
        return sum(
            self.one[name].label != self.other[name].label
            for name in self.one.keys() & self.other.keys()
        )

    @property
    def couples(self) -> list[tuple[ImageOutcome, ImageOutcome]]:
        return [(self.one[name], self.other[name]) for name in self.names]


def _images(run: JudgedRun) -> dict[str, ImageOutcome]:
    path = os.path.join(run.uri, Judgement.OUTCOMES)
    try:
        return {line.id: line for line in read_image_outcomes(run.uri)}
    except FileNotFoundError as e:
        raise NothingNoted(
            f"{path}: is gone, so that {run.words} cannot be compared image by image"
        ) from e


def _pairs_of_both(
    first: JudgedRun, second: JudgedRun
) -> tuple[list[PairOutcome], list[PairOutcome]]:
    found = []
    for run in (first, second):
        path = os.path.join(run.uri, Judgement.PAIRS)
        try:
            lines = list(read_pair_outcomes(run.uri))
        except FileNotFoundError as e:
            raise NothingNoted(f"{path}: is gone") from e
        found.append({(min(p.left, p.right), max(p.left, p.right), p.same): p for p in lines})
    keys = sorted(found[0].keys() & found[1].keys())
    return [found[0][k] for k in keys], [found[1][k] for k in keys]


def _metrics(
    first: Judgement,
    second: Judgement,
    images: _Both,
    lines: tuple[list[PairOutcome], list[PairOutcome]],
    shared: Shared,
) -> list[Metric]:
    anew: dict[str, paired.Paired] = {}
    thresholds = first.thresholds.get("same"), second.thresholds.get("same")
    if lines[0] and thresholds[0] and thresholds[1]:
        values = (thresholds[0].value, thresholds[1].value)
        anew = paired.of_pairs(*lines, values)
    if images.names and first.classified_by == second.classified_by:
        anew["class_accuracy"] = paired.of_images(*_hits(images.couples))
    metrics = []
    for name in METRICS:
        one, other = first.metrics.get(name), second.metrics.get(name)
        if name in anew:
            of_one, of_other, gap = anew[name]
            metrics.append(
                Metric(name=name, first=of_one, second=of_other, difference=gap, paired=True)
            )
        elif one or other:
            alike = shared.all and name not in _ANEW and _alike(name, first, second)
            apart = paired.less(one, other).difference if one and other and alike else None
            metrics.append(Metric(name=name, first=one, second=other, difference=apart))
    return metrics


def _alike(name: str, first: Judgement, second: Judgement) -> bool:
    """Whether a metric was measured in the same way in both."""
    if name == "episode_accuracy":
        return first.settings.episodes == second.settings.episodes
    if name.startswith("open_set"):
        unknown = first.settings.unknown, second.settings.unknown
        return first.unknown_by == second.unknown_by and unknown[0] == unknown[1]
    return first.classified_by == second.classified_by


def _classes(images: _Both) -> list[Metric]:
    labels = sorted({one.label for one, _ in images.couples})
    found = []
    for label in labels:
        hits = _hits([couple for couple in images.couples if couple[0].label == label])
        one, other, gap = paired.of_images(*hits)
        found.append(Metric(name=label, first=one, second=other, difference=gap, paired=True))
    return found


def _hits(couples: list[tuple[ImageOutcome, ImageOutcome]]) -> tuple[np.ndarray, np.ndarray]:
    hits = np.array([[o.predicted == o.label for o in couple] for couple in couples], bool)
    return hits[:, 0], hits[:, 1]


def _side(run: JudgedRun) -> Side:
    verdict = with_infra_check(run.judgement.verdict, run.run)
    return Side(
        name=run.name or run.uri,
        run=run.run.id if run.run else "",
        started=run.run.started.isoformat() if run.run else "",
        outcome=Outcome(verdict.outcome),
        reasons=verdict.reasons,
        images=run.judgement.images,
    )


def _configuration(run: JudgedRun, notes: list[str]) -> dict[str, Any] | None:
    """The effective configuration, its keys joined by dots."""
    path = run.folder / "config.yaml" if run.folder else None
    if path is None or not path.is_file():
        notes.append(f"the configuration of {run.words} is not kept")
        return None
    return dict(_flat(yaml.safe_load(path.read_text(encoding="utf-8"))))


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += _flat(value, f"{above}{key}.")
        else:
            found.append((f"{above}{key}", value))
    return found


def _counts(run: JudgedRun, notes: list[str]) -> dict[str, Any] | None:
    """Images by split, by class and split, and files that were set aside."""
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
    counts["set aside"] = len(report.set_aside)
    for label, of_class in report.classes.items():
        counts |= {f"class {label}, {split}": of_class[split] for split in features.SPLITS}
    return counts


def _report(uri: str) -> IngestionReport:
    # Without TFX's file systems, whose import takes seconds.
    with open_text(os.path.join(uri, IngestionReport.FILE)) as file:
        return IngestionReport.model_validate_json(file.read())


def _changes(
    first: dict[str, Any] | None, second: dict[str, Any] | None
) -> tuple[Change, ...] | None:
    if first is None or second is None:
        return None
    keys = [*first, *(key for key in second if key not in first)]
    couples = ((key, first.get(key, ABSENT), second.get(key, ABSENT)) for key in keys)
    return tuple(Change(key=k, first=a, second=b) for k, a, b in couples if a != b)
