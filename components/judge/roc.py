"""How well a score tells two kinds apart, for many weightings of the cases at once. NumPy alone.

scikit-learn gives the same figures for one weighting (a test compares them); resampling asks for
thousands.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Ranked:
    """Cases in the order of their scores, those with equal scores as one step.

    Args:
        scores: float [p]; the higher, the likelier positive.
        positive: bool [p].

    Attributes:
        thresholds: float64 [s], the scores that there are, in order.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        scores, positive = np.asarray(scores, "float64"), np.asarray(positive, bool)
        self._order = np.argsort(scores, kind="stable")
        ranked = scores[self._order]
        self._steps = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])
        self._positive = positive[self._order]
        self.thresholds = ranked[self._steps]

    def below(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shares of the positives and of the negatives that score below each step's end.

        Args:
            weights: [b, p], of the cases.

        Returns:
            float64 [b, s + 1] each, from 0 before the first step to 1 after the last; NaN where a
            kind has no weight.
        """
        ranked = np.asarray(weights)[:, self._order]
        return self._share(ranked * self._positive), self._share(ranked * ~self._positive)

    def _share(self, ranked: np.ndarray) -> np.ndarray:
        sums = np.cumsum(ranked, axis=1, dtype="float64")[:, self._steps]
        sums = np.concatenate([np.zeros((len(sums), 1)), sums], axis=1)
        with np.errstate(invalid="ignore"):
            return sums / sums[:, -1:]


def auc(missed: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Areas under ROC curves [b], from `Ranked.below`: positives missed, negatives passed over.

    It is the chance that a positive scores above a negative, equal scores counting half.
    """
    gains = np.diff(missed, axis=1)
    return np.sum(gains * (passed[:, 1:] + passed[:, :-1]) / 2, axis=1)


def equal_error_rate(missed: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Rates [b] at which as many positives are missed as negatives taken, from `Ranked.below`.

    Of thresholds at which they differ least, that with the fewest errors; the mean of the two.
    """
    taken = 1 - passed
    gap = np.abs(missed - taken)
    mean = (missed + taken) / 2
    # A gap is larger than any mean's influence once it is scaled so.
    best = np.argmin(np.round(gap, 12) * 1e6 + mean, axis=1)
    return np.take_along_axis(mean, best[:, None], axis=1)[:, 0]


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


def roc_points(scores: np.ndarray, positive: np.ndarray, most: int = 200) -> RocPoints:
    """The curve, thinned out to `most` points evenly along its way."""
    ranked = Ranked(scores, positive)
    missed, passed = ranked.below(np.ones((1, len(scores))))
    true, false = 1 - missed[0][::-1], 1 - passed[0][::-1]
    thresholds = np.append(ranked.thresholds, np.inf)[::-1]
    way = np.nan_to_num(true) + np.nan_to_num(false)
    if len(way) > most:
        kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], most)))
        kept = np.union1d(kept, [0, len(way) - 1])
        true, false, thresholds = true[kept], false[kept], thresholds[kept]
    return RocPoints(false, true, thresholds)
