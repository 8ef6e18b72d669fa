"""95 % intervals of metrics that were measured on a few images.

Every metric here is a share: of images, of pairs, or of comparisons (an AUC is the share of couples
of a same and a different pair that are ranked correctly). Images are independent of each other;
pairs with a common image are not, so pairs are never counted as if they were.

1. A metric's variance is that of its values over reweighted *images*: each image, and with it all
   its pairs, counts a little more or less (the infinitesimal jackknife of Jaeckel 1972; Giordano et
   al. 2019, https://arxiv.org/abs/1806.00550). The metric then changes by the sum of the influences
   of the image's pairs, so no resampling is needed. The pair-level variance, which is counted
   once for each of a pair's two images, is subtracted once: the variance for dyads of Aronow, Samii
   and Assenova 2015 (https://arxiv.org/abs/1312.3398). Images drawn with replacement, the usual
   bootstrap, would count it three times (Owen 2007, https://arxiv.org/abs/0712.1111), and leave
   classes of two or three images without a pair.
2. The variance gives the metric's *effective sample size*, the number of independent trials with
   the same variance (reduced for the uncertainty of the variance, Korn and Graubard 1998). The
   interval is Wilson's score interval of a proportion with that sample size (the best of several in
   Franco, Little, Louis and Slud 2019, https://doi.org/10.1093/jssam/smy019). So it does not shrink
   to a point if no error was observed, as the percentiles of a bootstrap would.
3. The difference of two models on the same images has the interval of Zou and Donner 2008
   (https://doi.org/10.1002/sim.3095), from both models' intervals and the correlation of their
   values over the same reweighted images; for shares of images it is Newcombe's method 10 of 1998.

`tests/judging/statistics/test_intervals.py` measures their coverage: 93 to 97 %; with twenty
classes of four images each 98 %, since differences between classes count as chance, though every
draw has the same classes. The interval of a share of 1 or 0 depends on the number of images alone.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95
"""Of all intervals."""


class Interval(NamedTuple):
    """From `low` to `high`."""

    low: float
    high: float


def wilson(share: float, number: float, level: float = LEVEL) -> Interval:
    """Return the score interval of a share (Wilson 1927, https://doi.org/10.2307/2276774).

    Args:
        share: In [0, 1].
        number: Effective sample size; need not be whole.
        level: Confidence level, in (0, 1).

    Returns:
        NaNs if the share is NaN, or the number is 0.
    """
    if not number > 0 or share != share:
        return Interval(math.nan, math.nan)
    z = _z(level)
    centre = share + z * z / (2 * number)
    spread = z * math.sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    whole = 1 + z * z / number
    # Rounding must not leave the share itself outside.
    low, high = (centre - spread) / whole, (centre + spread) / whole
    return Interval(max(0.0, min(low, share)), min(1.0, max(high, share)))


def simultaneous_level(count: int, level: float = LEVEL) -> float:
    """Return the level of each of several independent intervals that hold at once (Sidak 1967).

    The worst of several classes is chosen after the fact, so its interval has to allow for all.
    """
    return float(level ** (1 / max(1, count)))


def by_images(influence: np.ndarray) -> np.ndarray:
    """Return the covariance of metrics over the images that they were measured on.

    Args:
        influence: float64 [k, n], of each of n images on each of k metrics (`influence.Estimate`).

    Returns:
        float64 [k, k]; NaN for a metric that is not defined.
    """
    images = influence.shape[1]
    return influence @ influence.T * images / max(1, images - 1)


def by_pairs(influence: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the covariance of metrics of pairs over their images.

    Args:
        influence: float64 [k, p], of each of p pairs on each of k metrics.
        left: int [p], the index of each pair's left image.
        right: int [p], that of its right one.

    Returns:
        float64 [k, k]; NaN for a metric that is not defined.
    """
    images = int(max(left.max(), right.max())) + 1
    of_images = np.stack([np.bincount(left, row, images) + np.bincount(right, row, images)
                          for row in influence])  # fmt: skip
    of_pairs = influence @ influence.T
    found = (of_images @ of_images.T - of_pairs) * images / max(1, images - 2)
    # Pairs with an image in common are alike if anything, so no metric varies less than by pairs.
    np.fill_diagonal(found, np.maximum(np.diag(found), np.diag(of_pairs)))
    return found


def effective_number(
    share: float, variance: float, images: int, least: float, most: float = math.inf
) -> float:
    """Return the effective sample size of a proportion.

    Args:
        share: The measured proportion, in [0, 1].
        variance: Its variance, estimated from the images.
        images: Number of these images. With few images the variance itself is uncertain, so the
            result is multiplied by the squared ratio of the quantiles of the normal and of
            Student's distribution.
        least: Lower limit of the effective sample size. For pairs of n images it is n / 2, since n
            images always contain n / 2 disjoint pairs (and averaging over more pairs does not
            increase the variance: Hoeffding 1948).
        most: Upper limit, such as the number of pairs.
    """
    if not 0 < share < 1 or not variance > 0:
        return least
    known = (_z(LEVEL) / stdtrit(max(1, images - 1), (1 + LEVEL) / 2)) ** 2
    return min(max(least, known * share * (1 - share) / variance), max(least, most))


def difference(
    one: float, of_one: Interval, other: float, of_other: Interval, correlation: float
) -> Interval:
    """Return the interval of `one` - `other`, both measured on the same images.

    Args:
        one: A share.
        of_one: Its interval.
        other: A share.
        of_other: Its interval.
        correlation: Of the two over reweighted images; NaN counts as none.
    """
    r = correlation if correlation == correlation else 0.0
    gap = one - other

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * r * a * b + b * b))

    below = reach(one - of_one.low, of_other.high - other)
    above = reach(of_one.high - one, other - of_other.low)
    return Interval(max(-1.0, gap - below), min(1.0, gap + above))


def correlation(covariances: np.ndarray, one: int, other: int) -> float:
    """Return the correlation of two metrics; NaN if one does not vary.

    Args:
        covariances: From `by_images` or `by_pairs`.
        one: Index of a metric.
        other: Index of the other.
    """
    variance = covariances[one, one] * covariances[other, other]
    if not variance > 0:
        return math.nan
    return float(np.clip(covariances[one, other] / math.sqrt(variance), -1, 1))


def phi_coefficient(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two bool [n]; NaN if one of them does not vary."""
    if one.all() or other.all() or not one.any() or not other.any():
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def needed(value: float, bound: float, required: float, images: int) -> int | None:
    """Return about how many images would bring a bound to the required number.

    The value is assumed to stay; an interval narrows with the square root of the number of images.

    Returns:
        None if no number would: the value itself is not beyond the required one.
    """
    room, reach = abs(value - required), abs(value - bound)
    if room == 0 or (value - required) * (value - bound) <= 0:
        return None
    return max(images + 1, math.ceil(images * (reach / room) ** 2))


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
