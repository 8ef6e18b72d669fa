"""Collects what is measured of a model and of those it is compared with, with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from judging.judgement import Compared, Curve, Measure, Threshold
from judging.statistics import roc
from judging.statistics.intervals import Interval, correlation, difference, effective_number, wilson
from judging.views import CANDIDATE


class Findings:
    """What was measured so far.

    Args:
        models: Of what is compared with, by name: where it is, or in words what it is.

    Attributes:
        metrics: The candidate's, by name.
        missing: By name, why a metric could not be measured.
    """

    def __init__(self, models: Mapping[str, str]) -> None:
        self.metrics: dict[str, Measure] = {}
        self.missing: dict[str, str] = {}
        self._models = dict(models)
        self._theirs: dict[str, dict[str, Measure]] = {name: {} for name in models}
        self._differences: dict[str, dict[str, Measure]] = {name: {} for name in models}

    def compared(self) -> dict[str, Compared]:
        """What the others came to, by name."""
        return {
            name: Compared(
                model=model, metrics=self._theirs[name], differences=self._differences[name]
            )
            for name, model in self._models.items()
        }

    def leave_out(self, metrics: Iterable[str], why: str) -> None:
        """Metrics that cannot be measured."""
        self.missing |= dict.fromkeys(metrics, why)

    def take(self, metrics: Iterable[str], measures: Mapping[str, Measure]) -> None:
        """Metrics of the candidate, as far as they are defined."""
        for metric in metrics:
            if is_defined(measures[metric]):
                self.metrics[metric] = measures[metric]
            else:
                self.missing[metric] = "it is not defined: " + _UNDEFINED.get(
                    metric, "no such case"
                )

    def take_all(
        self,
        metrics: Mapping[str, Sequence[str]],
        measures: Mapping[str, Mapping[str, Measure]],
        covariance: np.ndarray,
    ) -> None:
        """Metrics of models that were measured together, the candidate first.

        Args:
            metrics: Of each model, which are taken.
            measures: Of each model all that was measured, by name, from `with_intervals`.
            covariance: float64 [k * m, k * m], of k models' m metrics.
        """
        for place, (model, found) in enumerate(measures.items()):
            if model == CANDIDATE:
                self.take(metrics[model], found)
                continue
            names = list(found)
            for metric in metrics[model]:
                at = names.index(metric)
                r = correlation(covariance, at, place * len(names) + at)
                self.compare(model, metric, found[metric], r)

    def compare(self, model: str, metric: str, theirs: Measure, r: float) -> None:
        """A metric of another model; r is its correlation with the candidate's."""
        if not is_defined(theirs):
            return
        self._theirs[model][metric] = theirs
        own = self.metrics.get(metric)
        if own is None:
            return
        low, high = difference(own.value, _interval(own), theirs.value, _interval(theirs), r)
        self._differences[model][metric] = Measure(
            value=own.value - theirs.value, low=low, high=high, images=own.images
        )


_UNDEFINED = {
    "precision": "the model calls no pair the same",
    "recall": "no pair is the same",
}


def with_intervals(
    models: Iterable[str],
    metrics: Sequence[str],
    values: np.ndarray,
    covariance: np.ndarray,
    images: int | Sequence[int],
    least: float | Sequence[int],
    most: float = math.inf,
) -> dict[str, dict[str, Measure]]:
    """Of each model its measures, by name.

    Args:
        models: The k models' names.
        metrics: The m metrics' names.
        values: float64 [k, m].
        covariance: float64 [k * m, k * m].
        images: They were measured on; of each metric, or of all.
        least: See `intervals.effective_number`.
        most: See there.
    """
    variances = np.diag(covariance).reshape(values.shape)
    counts = np.broadcast_to(images, len(metrics)).tolist()
    floors = np.broadcast_to(least, len(metrics)).tolist()
    measures: dict[str, dict[str, Measure]] = {}
    for model, row, spread in zip(models, values.tolist(), variances.tolist(), strict=True):
        measures[model] = {}
        columns = zip(metrics, row, spread, counts, floors, strict=True)
        for metric, value, variance, count, floor in columns:
            low, high = wilson(value, effective_number(value, variance, count, floor, most))
            measures[model][metric] = Measure(value=value, low=low, high=high, images=count)
    return measures


def share(hits: np.ndarray, level: float | None = None) -> Measure:
    """The share of images that are hits, bool [n]."""
    value = float(np.mean(hits))
    low, high = wilson(value, len(hits)) if level is None else wilson(value, len(hits), level)
    return Measure(value=value, low=low, high=high, images=len(hits))


def is_defined(measure: Measure) -> bool:
    """Whether it is a number."""
    return measure.value == measure.value


def threshold(value: float, measures: Mapping[str, Measure], accuracy: str) -> Threshold:
    """One of the model's own thresholds, and how it does."""
    return Threshold(
        value=value,
        false_accepts=measures["false_accepts"],
        false_rejects=measures["false_rejects"],
        accuracy=measures[accuracy],
    )


_BINS = 40


def curve(scores: np.ndarray, positive: np.ndarray, low: float, high: float) -> Curve:
    """The ROC curve of scores float [p], and their histogram from `low` to `high`."""
    points = roc.roc_points(roc.Ranked(scores, positive))
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    return Curve(
        false_accepts=tuple(points.false_accepts.tolist()),
        true_accepts=tuple(points.true_accepts.tolist()),
        thresholds=tuple(points.thresholds.tolist()),
        edges=tuple(edges.tolist()),
        positives=tuple(np.histogram(scores[positive], edges)[0].tolist()),
        negatives=tuple(np.histogram(scores[~positive], edges)[0].tolist()),
    )


def _interval(measure: Measure) -> Interval:
    return Interval(measure.low, measure.high)
