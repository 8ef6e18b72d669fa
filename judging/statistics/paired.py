"""Two models that were judged apart, compared on the images and pairs that both were judged on.

NumPy alone. Inputs are what each judgement has noted of its images and pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from judging.judgement import Measure, PairOutcome
from judging.metrics import pairs
from judging.statistics.intervals import Interval, correlation, difference, effective_number, wilson
from judging.statistics.roc import Ranked


class Paired(NamedTuple):
    """A metric of two models.

    Attributes:
        one: Of the first.
        other: Of the second.
        difference: The second's less the first's.
    """

    one: Measure
    other: Measure
    difference: Measure


def of_images(one: np.ndarray, other: np.ndarray) -> Paired:
    """Shares of the same images that two models are right about (Newcombe's method 10 of 1998).

    Args:
        one: bool [n], whether the first model is right.
        other: bool [n], whether the second is.
    """
    varies = 0 < one.sum() < len(one) and 0 < other.sum() < len(other)
    r = float(np.corrcoef(one, other)[0, 1]) if varies else math.nan
    return less(_share(one), _share(other), r)


def of_pairs(
    one: Sequence[PairOutcome],
    other: Sequence[PairOutcome],
    thresholds: tuple[float, float],
) -> dict[str, Paired]:
    """Metrics of the same pairs, by name; none where a kind of pair is missing.

    Args:
        one: What the first model says of each pair.
        other: What the second says of the same pairs, in the same order.
        thresholds: Of both models, at and above which they call a pair the same.
    """
    same = np.array([line.same for line in one], bool)
    if same.all() or not same.any():
        return {}
    names = [(line.left, line.right) for line in one]
    images, ends = np.unique(np.array(names, str), return_inverse=True)
    left, right = ends.reshape(-1, 2).T
    scores = [np.array([line.similarity for line in lines]) for lines in (one, other)]
    found = pairs.measure(
        pairs.Pairs(left, right, same),
        [Ranked(s, same) for s in scores],
        [pairs.called_same(s, at) for s, at in zip(scores, thresholds, strict=True)],
    )
    count = len(pairs.METRICS)
    variances = np.diag(found.covariance).reshape(2, count)
    measured = {}
    for i, name in enumerate(pairs.METRICS):
        if np.isnan(found.values[:, i]).any():
            continue
        first, second = (
            _with_interval(float(value), float(variance), len(images), len(same))
            for value, variance in zip(found.values[:, i], variances[:, i], strict=True)
        )
        measured[name] = less(first, second, correlation(found.covariance, i, count + i))
    return measured


def _with_interval(value: float, variance: float, images: int, cases: int) -> Measure:
    low, high = wilson(value, effective_number(value, variance, images, images / 2, cases))
    return Measure(value=value, low=low, high=high, images=images)


def less(one: Measure, other: Measure, r: float = math.nan) -> Paired:
    """The second less the first.

    Args:
        one: A share.
        other: A share.
        r: Their correlation; NaN: not known, which makes a wide interval.
    """
    low, high = difference(
        other.value, Interval(other.low, other.high), one.value, Interval(one.low, one.high), r
    )
    gap = Measure(value=other.value - one.value, low=low, high=high, images=other.images)
    return Paired(one, other, gap)


def _share(hits: np.ndarray) -> Measure:
    value = float(np.mean(hits))
    low, high = wilson(value, len(hits))
    return Measure(value=value, low=low, high=high, images=len(hits))
