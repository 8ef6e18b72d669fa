"""Open-set metrics: how well scores separate images of known classes from unknown images."""

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
    """

    threshold: Threshold
    curve: Curve
    scores: Scores
    groups: np.ndarray

    def at(self, limit: float) -> Threshold:
        """Return the error rates at another threshold."""
        measured = measure([self.scores], [limit], self.groups)
        measures = _with_intervals([CANDIDATE], measured)
        return threshold(limit, measures[CANDIDATE], "open_set_accuracy")


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
    every, known = scores[CANDIDATE].every()
    return JudgedOpenSet(
        threshold(views[CANDIDATE].known, measures[CANDIDATE], "open_set_accuracy"),
        curve(every, known, float(every.min()), float(every.max())),
        scores[CANDIDATE],
        groups,
    )


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
