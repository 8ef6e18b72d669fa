"""ROC curves: the area, the equal error rate, and each case's influence on them.

scikit-learn gives the same figures (a test compares them), but not the influences.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from judging.statistics.influence import Estimate, mean, share


class Roc:
    """Error rates of scores at every threshold; a case at or above it is called positive.

    Args:
        scores: float [p]; the higher, the likelier positive.
        positive: bool [p].

    Attributes:
        positive: As given.
        thresholds: float64 [s + 1], the distinct scores, ascending, and infinity.
        step: int [p], the index of each case's score among them.
        fnr: float64 [s + 1], false negative rate at each threshold; NaN if there is no positive.
        specificity: float64 [s + 1], true negative rate; NaN if there is no negative.
        fpr: float64 [s + 1], false positive rate.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self.positive = np.asarray(positive, bool)
        distinct, step = np.unique(np.asarray(scores, "float64"), return_inverse=True)
        self.thresholds, self.step = np.append(distinct, np.inf), step.reshape(-1)
        self.fnr = self._share_below(self.positive)
        self.specificity = self._share_below(~self.positive)
        self.fpr = 1 - self.specificity

    def equal_error(self) -> int:
        """Return the index of the threshold at which `fnr` and `fpr` differ least.

        Of several, that with the fewest errors; of these, the highest.
        """
        gap = np.round(np.abs(self.fnr - self.fpr), 12)
        return int(np.lexsort((-np.arange(len(gap)), self.fnr + self.fpr, gap))[0])

    def _share_below(self, kind: np.ndarray) -> np.ndarray:
        counts = np.bincount(self.step[kind], minlength=len(self.thresholds) - 1)
        sums = np.append(0, np.cumsum(counts))
        return sums / (sums[-1] or math.nan)


def auc(roc: Roc) -> Estimate:
    """Return the area under the ROC curve and each case's influence (DeLong et al. 1988).

    It is the chance that a positive scores above a negative, equal scores counting half.
    """
    # For each distinct score, the share of the other kind that its cases are ranked above or below.
    of_positives = (roc.specificity[1:] + roc.specificity[:-1]) / 2
    of_negatives = 1 - (roc.fnr[1:] + roc.fnr[:-1]) / 2
    value = float(np.sum(np.diff(roc.fnr) * of_positives))
    positives = max(1, int(roc.positive.sum()))
    negatives = max(1, len(roc.positive) - positives)
    influence = np.where(
        roc.positive,
        (of_positives[roc.step] - value) / positives,
        (of_negatives[roc.step] - value) / negatives,
    )
    return Estimate(value, influence)


def equal_error_rate(roc: Roc) -> Estimate:
    """Return the mean of both error rates where they differ least, and each case's influence.

    When some cases weigh more, the threshold moves too; how far either rate follows depends on the
    curve's slope there.
    """
    best = roc.equal_error()
    called = roc.step >= best
    fnr, fpr = share(~called, roc.positive), share(called, ~roc.positive)
    value = mean(fnr, fpr).value
    if value != value:
        return mean(fnr, fpr)
    # The slope, over as far as the rate may well lie off by chance.
    few = min(int(roc.positive.sum()), int((~roc.positive).sum()))
    reach = max(math.sqrt(value * (1 - value) / few), 1 / few)
    gap = roc.fnr - roc.fpr
    low = max(0, int(np.searchsorted(gap, gap[best] - reach, "right")) - 1)
    high = min(len(gap) - 1, int(np.searchsorted(gap, gap[best] + reach, "left")))
    weight = float((roc.fpr[low] - roc.fpr[high]) / (gap[high] - gap[low]))
    return Estimate(value, mean(fnr, fpr, weight).influence)


def with_false_positives(fpr: np.ndarray, fnr: np.ndarray, most: float) -> int:
    """Return the index of the point with the fewest misses whose false positive rate is low enough.

    Of several, that with the fewest false positives.

    Args:
        fpr: float [k], false positive rates of points of a ROC curve, one of them 0.
        fnr: float [k], their false negative rates.
        most: Highest false positive rate, in [0, 1].
    """
    return int(np.lexsort((fpr, np.where(fpr <= most + 1e-12, fnr, np.inf)))[0])


def just_above(score: float) -> float:
    """Return a threshold that a score does not reach, as the served graph compares: in float32."""
    return float(np.nextafter(np.float32(score), np.float32(np.inf)))


class RocPoints(NamedTuple):
    """Points of a ROC curve, from (0, 0) to (1, 1).

    Attributes:
        fpr: float64 [k], false positive rates.
        tpr: float64 [k], true positive rates.
        thresholds: float64 [k], descending; the first is infinite.
    """

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray


def roc_points(roc: Roc, most: int = 200) -> RocPoints:
    """Return about `most` points of the curve, evenly spaced along it."""
    points = RocPoints(roc.fpr[::-1], 1 - roc.fnr[::-1], roc.thresholds[::-1])
    way = np.nan_to_num(points.tpr) + np.nan_to_num(points.fpr)
    if len(way) <= most:
        return points
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], most)))
    kept = np.union1d(kept, [0, len(way) - 1])
    return RocPoints(*(column[kept] for column in points))
