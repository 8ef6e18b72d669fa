"""Compares two models that were judged separately, on the images and pairs that both share.

Differences are the second model's metric minus the first's. Those of class accuracy and of pairs
are measured again on the shared images and pairs, each compared with itself; other metrics do not
follow from the outcomes of single images, and are shown as they were judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from pydantic import BaseModel, ConfigDict

from judging.judge import Judged
from judging.judgement import Judgement, Measure
from judging.measurements import is_defined, minus, share, share_correlation
from judging.metrics import pairs as pair_metrics
from judging.outcomes import ImageOutcome, PairOutcome
from judging.settings import METRICS
from judging.statistics.fold_intervals import DIFFERENCE, widened
from judging.statistics.intervals import correlation


class Part(BaseModel):
    """Immutable; a number may be NaN or infinite."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")


class Shared(Part):
    """To what extent both were judged on the same images.

    Attributes:
        both: Number of images that both were judged on.
        only_first: Number of images of the first alone.
        only_second: Number of images of the second alone.
        relabelled: Number of images of both whose class was changed; they are not compared.
        pairs: Number of pairs that both were judged on.
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


class Metric(Part):
    """A metric of both.

    Attributes:
        name: As in `thresholds`, or a class's name.
        first: Of the first; None if it could not be measured.
        second: Of the second.
        difference: None if the two cannot be compared.
        paired: Whether each image was compared with itself; otherwise the interval is a wide one.
    """

    name: str
    first: Measure | None
    second: Measure | None
    difference: Measure | None = None
    paired: bool = False


class Turned(Part):
    """An image that exactly one of them classified correctly, with both predictions."""

    source: str
    label: str
    first: str
    second: str


class JudgementComparison(Part):
    """The comparison of two judgements.

    Attributes:
        shared: To what extent they were judged on the same images.
        metrics: Of all images.
        classes: Recall by class, of the shared images.
        fixed: Images that the second classifies correctly and the first did not.
        broken: Images that the first classified correctly and the second does not.
        notes: What could not be compared, and why.
    """

    shared: Shared
    metrics: tuple[Metric, ...]
    classes: tuple[Metric, ...]
    fixed: tuple[Turned, ...]
    broken: tuple[Turned, ...]
    notes: tuple[str, ...]


def compare_judgements(first: Judged, second: Judged) -> JudgementComparison:
    """Compare two judgements; their outcomes are consumed."""
    images, relabelled, alone = _shared_images(first.outcomes, second.outcomes)
    pairs = _shared_pairs(first.pairs, second.pairs)
    shared = Shared(
        both=len(images), only_first=alone[0], only_second=alone[1], relabelled=relabelled,
        pairs=len(pairs),
    )  # fmt: skip
    notes = []
    if not shared.all:
        notes.append(
            f"they were judged on different images: {shared.both} are compared, which both were "
            "judged on"
        )
    hits = [(a.predicted == a.label, b.predicted == b.label) for a, b in images]
    turned = {
        now: tuple(
            Turned(source=a.source, label=a.label, first=a.predicted, second=b.predicted)
            for (a, b), (before, after) in zip(images, hits, strict=True)
            if after == now and before != now
        )
        for now in (True, False)
    }
    of_folds = [one.judgement.folds for one in (first, second)]
    if of_folds[0] != of_folds[1]:
        words = [f"in {count} folds" if count else "on a test split" for count in of_folds]
        notes.append(
            f"the first was judged {words[0]}, the second {words[1]}: in folds, models that have "
            "learned from fewer images judge"
        )
    fewest = min((count for count in of_folds if count), default=None)
    return JudgementComparison(
        shared=shared,
        metrics=tuple(
            _widened(one, fewest)
            for one in _metrics(first.judgement, second.judgement, images, pairs, shared)
        ),
        classes=tuple(
            _widened(
                _class_accuracy(label, [couple for couple in images if couple[0].label == label]),
                fewest,
            )
            for label in sorted({a.label for a, _ in images})
        ),
        fixed=turned[True],
        broken=turned[False],
        notes=tuple(notes),
    )


_ImageCouples = list[tuple[ImageOutcome, ImageOutcome]]
_PairCouples = list[tuple[PairOutcome, PairOutcome]]


def _shared_images(
    first: Iterable[ImageOutcome], second: Iterable[ImageOutcome]
) -> tuple[_ImageCouples, int, tuple[int, int]]:
    """Return images that both classified, and numbers: relabelled, of one of them alone."""
    one, other = ({line.id: line for line in lines} for lines in (first, second))
    couples = [(one[id_], other[id_]) for id_ in sorted(one.keys() & other.keys())]
    same_label = [(a, b) for a, b in couples if a.label == b.label]
    classified = [(a, b) for a, b in same_label if not math.isnan(a.own_score + b.own_score)]
    alone = len(one.keys() - other.keys()), len(other.keys() - one.keys())
    return classified, len(couples) - len(same_label), alone


def _shared_pairs(first: Iterable[PairOutcome], second: Iterable[PairOutcome]) -> _PairCouples:
    one, other = (
        {(min(p.left, p.right), max(p.left, p.right), p.same): p for p in lines}
        for lines in (first, second)
    )
    return [(one[key], other[key]) for key in sorted(one.keys() & other.keys())]


def _metrics(
    first: Judgement,
    second: Judgement,
    images: _ImageCouples,
    pairs: _PairCouples,
    shared: Shared,
) -> list[Metric]:
    again = {}
    thresholds = first.thresholds.get("same"), second.thresholds.get("same")
    if pairs and thresholds[0] and thresholds[1]:
        again = {m.name: m for m in _of_pairs(pairs, images, [t.value for t in thresholds if t])}
    if images and first.classified_by == second.classified_by:
        again["class_accuracy"] = _class_accuracy("class_accuracy", images)
    metrics = []
    for name in METRICS:
        one, other = first.metrics.get(name), second.metrics.get(name)
        if name in again:
            metrics.append(again[name])
        elif one or other:
            comparable = one and other and shared.all and _comparable(name, first, second)
            difference = minus(other, one) if one and other and comparable else None
            metrics.append(Metric(name=name, first=one, second=other, difference=difference))
    return metrics


def _widened(metric: Metric, folds: int | None) -> Metric:
    """Return a metric that was measured again with the intervals of what is judged in folds."""
    if not metric.paired:
        return metric
    first, second = widened((metric.first, metric.second), folds)
    difference = widened(metric.difference, folds, DIFFERENCE)
    return metric.model_copy(update={"first": first, "second": second, "difference": difference})


def _comparable(name: str, first: Judgement, second: Judgement) -> bool:
    """Return whether a metric that is not measured again was measured in the same way in both."""
    if name in (*pair_metrics.METRICS, "class_accuracy"):
        return False
    if name == "episode_accuracy":
        return first.settings.episodes == second.settings.episodes
    if name.startswith("open_set"):
        same_folder = first.settings.unknown == second.settings.unknown
        return first.unknown_by == second.unknown_by and same_folder
    return first.classified_by == second.classified_by


def _class_accuracy(name: str, images: _ImageCouples) -> Metric:
    """Return the accuracy on the same images (Newcombe's method 10 of 1998)."""
    one, other = np.array([[o.predicted == o.label for o in couple] for couple in images], bool).T
    of_image = _groups(images)
    groups = np.array([of_image[image.id] for image, _ in images])
    first, second = share(one, groups), share(other, groups)
    gap = minus(second, first, share_correlation(one, other, groups))
    return Metric(name=name, first=first, second=second, difference=gap, paired=True)


def _groups(images: _ImageCouples) -> dict[str, int]:
    """Return the group of each image, by id; older outcomes know none, so each is one by itself."""
    known = max((image.group for image, _ in images if image.group is not None), default=-1) + 1
    return {
        image.id: known + place if image.group is None else image.group
        for place, (image, _) in enumerate(images)
    }


def _of_pairs(pairs: _PairCouples, images: _ImageCouples, thresholds: list[float]) -> list[Metric]:
    """Return the metrics of the same pairs; none if a kind of pair is missing."""
    same = np.array([one.same for one, _ in pairs], bool)
    if same.all() or not same.any():
        return []
    ids = np.array([(one.left, one.right) for one, _ in pairs], str)
    names, ends = np.unique(ids, return_inverse=True)
    left, right = ends.reshape(-1, 2).T
    of_image = _groups(images)
    alone = max(of_image.values(), default=-1) + 1
    groups = np.array([of_image.get(str(x), alone + i) for i, x in enumerate(names)])
    scores = np.array([[p.similarity for p in couple] for couple in pairs]).T
    measures, covariance = pair_metrics.measure_pairs(
        pair_metrics.Pairs(left, right, same),
        groups,
        dict(zip(("first", "second"), scores, strict=True)),
        thresholds,
    )
    count = len(measures["first"])
    metrics = []
    for i, name in enumerate(pair_metrics.METRICS):
        first, second = measures["first"][name], measures["second"][name]
        if is_defined(first) and is_defined(second):
            gap = minus(second, first, correlation(covariance, i, count + i))
            metrics.append(
                Metric(name=name, first=first, second=second, difference=gap, paired=True)
            )
    return metrics
