"""How well a score tells two kinds apart. NumPy alone.

scikit-learn gives the same figures (a test compares them), but not what each case adds to them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from judging.statistics.influence import Estimate, mean, share


class Ranked:
    """Cases in the order of their scores, those with equal scores as one step.

    Args:
        scores: float [p]; the higher, the likelier positive.
        positive: bool [p].

    Attributes:
        positive: As given.
        thresholds: float64 [s], the scores that there are, in order.
        step: int [p], which of them each case has.
        missed: float64 [s + 1], shares of the positives that score below each threshold, and below
            infinity; NaN where there is none.
        passed: float64 [s + 1], the same of the negatives.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self.positive = np.asarray(positive, bool)
        self.thresholds, step = np.unique(np.asarray(scores, "float64"), return_inverse=True)
        self.step = step.reshape(-1)
        self.missed = self._below(self.positive)
        self.passed = self._below(~self.positive)

    def _below(self, kind: np.ndarray) -> np.ndarray:
        counts = np.bincount(self.step[kind], minlength=len(self.thresholds))
        sums = np.append(0, np.cumsum(counts))
        return sums / (sums[-1] or math.nan)


def auc(ranked: Ranked) -> Estimate:
    """The area under the ROC curve, and each case's influence (DeLong et al. 1988).

    It is the chance that a positive scores above a negative, equal scores counting half.
    """
    # Of each step, the share of the other kind that its cases are ranked rightly against.
    of_positives = (ranked.passed[1:] + ranked.passed[:-1]) / 2
    of_negatives = 1 - (ranked.missed[1:] + ranked.missed[:-1]) / 2
    value = float(np.sum(np.diff(ranked.missed) * of_positives))
    positives = max(1, int(ranked.positive.sum()))
    negatives = max(1, len(ranked.positive) - positives)
    influence = np.where(
        ranked.positive,
        (of_positives[ranked.step] - value) / positives,
        (of_negatives[ranked.step] - value) / negatives,
    )
    return Estimate(value, influence)


def equal_error_rate(ranked: Ranked) -> Estimate:
    """The rate at which as many positives are missed as negatives taken, and cases' influence.

    Of thresholds at which they differ least, that with the fewest errors; the mean of the two. When
    cases count for more, the threshold moves too, and how far either rate follows depends on the
    curve's slope there.
    """
    taken = 1 - ranked.passed
    gap = ranked.missed - taken
    best = int(np.lexsort((ranked.missed + taken, np.round(np.abs(gap), 12)))[0])
    yes = ranked.step >= best
    missed, accepted = share(~yes, ranked.positive), share(yes, ~ranked.positive)
    value = mean(missed, accepted).value
    if value != value:
        return mean(missed, accepted)
    # The slope, over as far as the rate may well lie off by chance.
    few = min(int(ranked.positive.sum()), int((~ranked.positive).sum()))
    reach = max(math.sqrt(value * (1 - value) / few), 1 / few)
    low = max(0, int(np.searchsorted(gap, gap[best] - reach, "right")) - 1)
    high = min(len(gap) - 1, int(np.searchsorted(gap, gap[best] + reach, "left")))
    weight = float((taken[low] - taken[high]) / (gap[high] - gap[low]))
    return Estimate(value, mean(missed, accepted, weight).influence)


class RocPoints(NamedTuple):
    """Points of a ROC curve, from (0, 0) to (1, 1).

    Attributes:
        false_accepts: float64 [k], shares of the negatives at or above the threshold.
        true_accepts: float64 [k], shares of the positives.
        thresholds: float64 [k]; the first is infinite.
    """

    false_accepts: np.ndarray
    true_accepts: np.ndarray
    thresholds: np.ndarray


def roc_points(ranked: Ranked, most: int = 200) -> RocPoints:
    """The curve, thinned out to `most` points evenly along its way."""
    true, false = 1 - ranked.missed[::-1], 1 - ranked.passed[::-1]
    thresholds = np.append(ranked.thresholds, np.inf)[::-1]
    way = np.nan_to_num(true) + np.nan_to_num(false)
    if len(way) > most:
        kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], most)))
        kept = np.union1d(kept, [0, len(way) - 1])
        true, false, thresholds = true[kept], false[kept], thresholds[kept]
    return RocPoints(false, true, thresholds)
