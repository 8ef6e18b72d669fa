"""Open-set metrics: how well scores separate images of known classes from unknown images.

Where the unknown images are those of each class, left out in turn, what is asked is how the model
treats the images of a *new* class. Images of one class are accepted or refused together, so the
candidate's intervals are then those of a new class (`statistics.new_class`), over classes and not
over images. Differences to other models are measured on the same classes, so theirs go by images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from judging.folded_view import AnyView
from judging.judgement import Curve, Measure, Threshold
from judging.measurements import Measurements, curve, threshold, with_intervals
from judging.open_set_scores import Scores
from judging.statistics.influence import Estimate, complement, mean, share, stacked
from judging.statistics.intervals import by_groups, effective_groups
from judging.statistics.new_class import new_class_interval
from judging.statistics.roc import Roc, auc
from judging.views import CANDIDATE, HeldOutImages

METRICS = ("open_set_auc", "open_set_accuracy")
"""Metrics of a model."""

MEASURED = (*METRICS, "false_accepts", "false_rejects")
"""What `measure` returns, in this order."""


class JudgedOpenSet(NamedTuple):
    """The candidate's scores.

    Attributes:
        threshold: Its own.
        curve: The ROC curve.
        scores: Of known and unknown images.
        groups: int [n + u], the groups of all images.
        labels: str [n], the classes of the test images.
    """

    threshold: Threshold
    curve: Curve
    scores: Scores
    groups: np.ndarray
    labels: np.ndarray

    def at(self, limit: float) -> Threshold:
        """Return the error rates at another threshold."""
        measured = measure([self.scores], [limit], self.groups)
        measures = _with_intervals([CANDIDATE], measured)[CANDIDATE]
        measures = for_new_class(measures, self.scores, limit, self.groups, self.labels)
        return threshold(limit, measures, "open_set_accuracy")


def judge_open_set(
    images: HeldOutImages,
    unknown_groups: np.ndarray,
    views: Mapping[str, AnyView],
    measurements: Measurements,
) -> JudgedOpenSet | None:
    """Measure how known and unknown images are separated.

    Args:
        images: The n images.
        unknown_groups: int [u], the groups of the unknown images.
        views: The models' views of them.
        measurements: Results are added to this object.

    Returns:
        None if there are too few classes.
    """
    scores = {}
    for name, view in views.items():
        if of_model := view.open_set_scores(images.labels, images.groups):
            scores[name] = of_model
    if CANDIDATE not in scores:
        measurements.skip(
            METRICS, "with fewer than three classes, none can be left out to be unknown"
        )
        return None
    groups = np.concatenate([images.groups, unknown_groups])
    measured = measure(list(scores.values()), [views[name].known for name in scores], groups)
    measures = _with_intervals(scores, measured)
    # An encoder alone has no threshold.
    added = {name: METRICS[:1] if math.isnan(views[name].known) else METRICS for name in scores}
    measurements.add_all({**added, CANDIDATE: METRICS}, measures, measured.covariance)
    own, limit = scores[CANDIDATE], views[CANDIDATE].known
    of_candidate = for_new_class(measures[CANDIDATE], own, limit, groups, images.labels)
    measurements.add(METRICS, of_candidate)
    every, known = own.every()
    return JudgedOpenSet(
        threshold(limit, of_candidate, "open_set_accuracy"),
        curve(every, known, float(every.min()), float(every.max())),
        own,
        groups,
        images.labels,
    )


def for_new_class(
    measures: Mapping[str, Measure],
    scores: Scores,
    limit: float,
    groups: np.ndarray,
    labels: np.ndarray,
) -> dict[str, Measure]:
    """Return measures whose intervals are for the images of a new class.

    Args:
        measures: `MEASURED`, with intervals for further images of the same classes.
        scores: That they were measured by.
        limit: The threshold.
        groups: int [n + u], the groups of all images.
        labels: str [n], the classes of the test images.

    Returns:
        The measures as they are if the unknown images are not those of classes left out.
    """
    if not len(scores.unknown_image) or scores.unknown_image.max() >= len(labels):
        return dict(measures)
    classes, own = np.unique(labels[scores.unknown_image], return_inverse=True)
    of_unknown = groups[scores.unknown_image]
    number = np.array([effective_groups(of_unknown[own == c]) for c in range(len(classes))])
    most = effective_groups(groups[scores.known_image])

    def interval(measure: Measure, hits: np.ndarray, images: np.ndarray) -> Measure:
        rates = np.bincount(own, hits) / np.bincount(own)
        low, high = new_class_interval(rates, images)
        # Never narrower than for further images of the same classes.
        low, high = min(low, measure.low), max(high, measure.high)
        return measure.model_copy(update={"low": low, "high": high, "classes": len(classes)})

    known = np.sort(scores.known)
    below = np.searchsorted(known, scores.unknown, "left")
    not_above = np.searchsorted(known, scores.unknown, "right")
    ranked = np.asarray(1 - (below + not_above) / 2 / len(known))
    accepted = scores.unknown.astype("float32") >= np.float32(limit)
    area, accepts = measures["open_set_auc"], measures["false_accepts"]
    found = {
        **measures,
        "open_set_auc": interval(area, ranked, number.clip(max=most)),
        "false_accepts": interval(accepts, accepted, number),
    }
    balanced = _balanced(
        measures["open_set_accuracy"], found["false_accepts"], found["false_rejects"]
    )
    return {**found, "open_set_accuracy": balanced}


def _balanced(accuracy: Measure, accepts: Measure, rejects: Measure) -> Measure:
    """Return the accuracy with the interval that follows from those of two independent errors.

    Of a sum of two proportions (Zou and Donner 2008, see `statistics.intervals`).
    """
    below = math.hypot(accepts.high - accepts.value, rejects.high - rejects.value) / 2
    above = math.hypot(accepts.value - accepts.low, rejects.value - rejects.low) / 2
    low, high = max(0.0, accuracy.value - below), min(1.0, accuracy.value + above)
    return accuracy.model_copy(update={"low": low, "high": high, "classes": accepts.classes})


class Measured(NamedTuple):
    """Metrics of k models on the same images.

    Attributes:
        values: float64 [k, m], each of `MEASURED` for each model.
        covariance: float64 [k * m, k * m], over the groups.
        images: The number of images behind each of `MEASURED`.
        groups: The number of groups of these.
        least: Lower limit of the effective sample size of each of `MEASURED`: of an AUC, the number
            of disjoint (known, unknown) pairs of groups; of a mean of two shares, twice that, but
            at most the number of groups.
    """

    values: np.ndarray
    covariance: np.ndarray
    images: tuple[int, ...]
    groups: tuple[int, ...]
    least: tuple[float, ...]


def measure(scores: Sequence[Scores], thresholds: Sequence[float], groups: np.ndarray) -> Measured:
    """Measure models on the same images.

    Args:
        scores: Of each model.
        thresholds: At and above which each model calls an image known.
        groups: int [n + u], the groups of all images that the scores are of.
    """
    cases = [np.concatenate([s.known_image, s.unknown_image]) for s in scores]
    images, places = np.unique(np.concatenate(cases), return_inverse=True)
    # An image's influence is that of its cases; a model may have others than the next one.
    of_model = np.split(places, np.cumsum([len(case) for case in cases])[:-1])
    rows = [
        [
            Estimate(one.value, np.bincount(place, one.influence, len(images)))
            for one in _estimates(s, limit)
        ]
        for s, limit, place in zip(scores, thresholds, of_model, strict=True)
    ]
    values, influence = stacked(rows)
    every, known, unknown = (
        groups[some] for some in (images, scores[0].known_image, scores[0].unknown_image)
    )
    few = min(effective_groups(known), effective_groups(unknown))
    mixed = min(effective_groups(every), 2 * few)
    behind = (every, every, unknown, known)
    return Measured(
        values,
        by_groups(influence, every),
        tuple(map(len, behind)),
        tuple(len(np.unique(some)) for some in behind),
        (few, mixed, effective_groups(unknown), effective_groups(known)),
    )


def _with_intervals(models: Iterable[str], measured: Measured) -> dict[str, dict[str, Measure]]:
    # An AUC near 1 seems to vary less than it does, if few images are out of order by chance.
    most = 2 * np.array(measured.groups)
    return with_intervals(
        models, MEASURED, measured.values, measured.covariance, measured.images, measured.groups,
        measured.least, most,
    )  # fmt: skip


def _estimates(scores: Scores, limit: float) -> list[Estimate]:
    """Return the estimates of `MEASURED`."""
    every, known = scores.every()
    called_known = every.astype("float32") >= np.float32(limit)
    false_accepts, false_rejects = share(called_known, ~known), share(~called_known, known)
    # Balanced: it does not depend on how many there are of each kind.
    accuracy = complement(mean(false_accepts, false_rejects))
    return [auc(Roc(every, known)), accuracy, false_accepts, false_rejects]
