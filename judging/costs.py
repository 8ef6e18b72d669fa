"""Costs of a threshold's two errors, and the threshold with the lowest expected cost."""

from __future__ import annotations

import math

import numpy as np

from judging.judgement import CostOfThreshold, Curve, Measure, Threshold
from judging.settings import Costs
from judging.statistics.roc import just_above, with_false_positives


def cheapest(curve: Curve, costs: Costs) -> float:
    """Return the threshold with the lowest expected cost on these cases; of equals, the highest."""
    missed, false_alarm = _weights(costs)
    of_each = missed * np.array(curve.false_accepts) + false_alarm * (
        1 - np.array(curve.true_accepts)
    )
    return at(curve, int(np.argmin(np.round(of_each, 12))))


def with_false_accepts(curve: Curve, most: float) -> float:
    """Return the threshold that misses least with a false positive rate of at most `most`."""
    fpr, fnr = np.array(curve.false_accepts), 1 - np.array(curve.true_accepts)
    return at(curve, with_false_positives(fpr, fnr, most))


def at(curve: Curve, point: int) -> float:
    """Return the threshold of a point of the curve; above all scores for the first one."""
    value = curve.thresholds[point]
    return value if math.isfinite(value) else just_above(curve.thresholds[point + 1])


def cost_of(threshold: Threshold, costs: Costs) -> CostOfThreshold:
    """Return a threshold's expected cost of a case.

    Its interval is that of a sum of two proportions, from their own (Zou and Donner 2008, see
    `statistics.intervals`), as if they were independent.
    """
    parts = list(
        zip(_weights(costs), (threshold.false_accepts, threshold.false_rejects), strict=True)
    )
    value = sum(weight * m.value for weight, m in parts)
    below, above = (
        math.hypot(*(weight * (end(m) - m.value) for weight, m in parts))
        for end in (lambda m: m.low, lambda m: m.high)
    )
    images = min(m.images for _, m in parts)
    measure = Measure(
        value=value, low=max(0.0, value - below), high=min(value + above, sum(_weights(costs))),
        images=images,
    )  # fmt: skip
    return CostOfThreshold(threshold=threshold, cost=measure)


def _weights(costs: Costs) -> tuple[float, float]:
    """Return what false accept and false reject rates of 1 cost per case."""
    return costs.missed * costs.prevalence, costs.false_alarm * (1 - costs.prevalence)
