"""Collects the metrics of a model and of those it is compared with, with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from judging.judgement import Compared, Curve, Measure, Threshold
from judging.statistics import influence
from judging.statistics.intervals import (
    LEVEL,
    Interval,
    by_groups,
    clopper_pearson,
    correlation,
    difference,
    effective_groups,
    effective_number,
)
from judging.statistics.roc import Roc, roc_points
from judging.views import CANDIDATE


class Measurements:
    """The metrics measured so far.

    Args:
        models: What the candidate is compared with, by name: a path or a description.

    Attributes:
        metrics: The candidate's, by name.
        missing: Why a metric could not be measured, by name.
    """

    def __init__(self, models: Mapping[str, str]) -> None:
        self.metrics: dict[str, Measure] = {}
        self.missing: dict[str, str] = {}
        self._models = dict(models)
        self._theirs: dict[str, dict[str, Measure]] = {name: {} for name in models}
        self._differences: dict[str, dict[str, Measure]] = {name: {} for name in models}

    def compared(self) -> dict[str, Compared]:
        """Return the metrics of the other models, by name."""
        return {
            name: Compared(
                model=model, metrics=self._theirs[name], differences=self._differences[name]
            )
            for name, model in self._models.items()
        }

    def skip(self, metrics: Iterable[str], why: str) -> None:
        """Note why metrics cannot be measured."""
        self.missing |= dict.fromkeys(metrics, why)

    def add(self, metrics: Iterable[str], measures: Mapping[str, Measure]) -> None:
        """Add metrics of the candidate; those that are not defined go to `missing`."""
        for metric in metrics:
            if is_defined(measures[metric]):
                self.metrics[metric] = measures[metric]
            else:
                self.missing[metric] = f"not defined: {_UNDEFINED.get(metric, 'no such case')}"

    def add_all(
        self,
        metrics: Mapping[str, Sequence[str]],
        measures: Mapping[str, Mapping[str, Measure]],
        covariance: np.ndarray,
    ) -> None:
        """Add metrics of models that were measured together, the candidate first.

        Args:
            metrics: Which metrics to add of each model.
            measures: All measures of each model, by name, from `with_intervals`.
            covariance: float64 [k * m, k * m], of k models' m metrics.
        """
        for place, (model, measured) in enumerate(measures.items()):
            if model == CANDIDATE:
                self.add(metrics[model], measured)
                continue
            names = list(measured)
            for metric in metrics[model]:
                column = names.index(metric)
                r = correlation(covariance, column, place * len(names) + column)
                self.compare(model, metric, measured[metric], r)

    def compare(self, model: str, metric: str, theirs: Measure, r: float) -> None:
        """Add a metric of another model; r is its correlation with the candidate's."""
        if not is_defined(theirs):
            return
        self._theirs[model][metric] = theirs
        if own := self.metrics.get(metric):
            self._differences[model][metric] = minus(own, theirs, r)


_UNDEFINED = {
    "precision": "the model calls no pair the same",
    "recall": "no pair is the same",
}


def minus(one: Measure, other: Measure, r: float = math.nan) -> Measure:
    """Return `one` - `other`; r is their correlation, NaN if unknown, which widens the interval."""
    low, high = difference(
        one.value, Interval(one.low, one.high), other.value, Interval(other.low, other.high), r
    )
    return Measure(value=one.value - other.value, low=low, high=high, images=one.images)


def with_intervals(
    models: Iterable[str],
    metrics: Sequence[str],
    values: np.ndarray,
    covariance: np.ndarray,
    images: ArrayLike,
    groups: ArrayLike,
    least: ArrayLike,
    most: ArrayLike = math.inf,
) -> dict[str, dict[str, Measure]]:
    """Return the measures of each model, by name.

    Args:
        models: The k models' names.
        metrics: The m metrics' names.
        values: float64 [k, m].
        covariance: float64 [k * m, k * m].
        images: The number of images that a metric was measured on: [k, m], [m], or one of all.
        groups: The number of groups of these images, likewise.
        least: See `intervals.effective_number`; likewise.
        most: See there; likewise.
    """
    variances = np.diag(covariance).reshape(values.shape)
    rest = (np.broadcast_to(x, values.shape) for x in (images, groups, least, most))
    of_models = zip(models, *(x.tolist() for x in (values, variances, *rest)), strict=True)
    return {
        model: {
            metric: _measure(*of_metric)
            for metric, *of_metric in zip(metrics, *of_model, strict=True)
        }
        for model, *of_model in of_models
    }


def _measure(
    value: float, variance: float, images: int, groups: int, least: float, most: float
) -> Measure:
    number = effective_number(value, variance, groups, least, most)
    low, high = clopper_pearson(value, number)
    return Measure(value=value, low=low, high=high, images=images)


def share(hits: np.ndarray, groups: np.ndarray, level: float = LEVEL) -> Measure:
    """Return the share of images that are hits.

    Args:
        hits: bool [n].
        groups: [n], the images' groups.
        level: Of the interval.
    """
    value, of_images = influence.share(hits, np.ones(len(hits), bool))
    [[variance]] = by_groups(of_images[None], groups)
    number = effective_number(
        value, variance, len(np.unique(groups)), effective_groups(groups), len(hits)
    )
    low, high = clopper_pearson(value, number, level)
    return Measure(value=value, low=low, high=high, images=len(hits))


def share_correlation(one: np.ndarray, other: np.ndarray, groups: np.ndarray) -> float:
    """Return the correlation of two shares of hits, bool [n] each; NaN if one does not vary."""
    every = np.ones(len(groups), bool)
    both = np.stack([influence.share(hits, every).influence for hits in (one, other)])
    return correlation(by_groups(both, groups), 0, 1)


def is_defined(measure: Measure) -> bool:
    """Return whether the value is a number."""
    return measure.value == measure.value


def threshold(value: float, measures: Mapping[str, Measure], accuracy: str) -> Threshold:
    """Return one of the model's own thresholds with its error rates; `accuracy` names a measure."""
    return Threshold(
        value=value,
        false_accepts=measures["false_accepts"],
        false_rejects=measures["false_rejects"],
        accuracy=measures[accuracy],
    )


_BINS = 40


def curve(scores: np.ndarray, positive: np.ndarray, low: float, high: float) -> Curve:
    """Return the ROC curve of scores float [p], and their histogram from `low` to `high`."""
    points = roc_points(Roc(scores, positive))
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    return Curve(
        false_accepts=tuple(points.fpr.tolist()),
        true_accepts=tuple(points.tpr.tolist()),
        thresholds=tuple(points.thresholds.tolist()),
        edges=tuple(edges.tolist()),
        positives=tuple(np.histogram(scores[positive], edges)[0].tolist()),
        negatives=tuple(np.histogram(scores[~positive], edges)[0].tolist()),
    )
