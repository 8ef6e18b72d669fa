"""95 % intervals of metrics that were measured on a few images.

Every metric here is a share: of images, of pairs, or of comparisons (an AUC is the share of couples
of a same and a different pair that are ranked correctly). Groups of images
(`records.features.GROUP`) are independent of each other; images of one group are not, nor are pairs
with a common group, so neither are counted as if they were. Most groups are a single image.

1. A metric's variance is that of its values over reweighted *groups*: each group, and with it all
   its images and their pairs, counts a little more or less (the infinitesimal jackknife of Jaeckel
   1972; Giordano et al. 2019, https://arxiv.org/abs/1806.00550). The metric then changes by the sum
   of the influences of the group's pairs, so no resampling is needed: the cluster-robust variance.
   The variance of couples of groups, which is counted once for each of a pair's two groups, is
   subtracted once: the variance for dyads of Aronow, Samii and Assenova 2015
   (https://arxiv.org/abs/1312.3398). Images drawn with replacement, the usual
   bootstrap, would count it three times (Owen 2007, https://arxiv.org/abs/0712.1111), and leave
   classes of two or three images without a pair.
2. The variance gives the metric's *effective sample size*, the number of independent trials with
   the same variance (reduced for the uncertainty of the variance, Korn and Graubard 1998, and at
   least the number of groups, Kish 1965: copies of an image add nothing). The interval is the exact
   one of a proportion with that sample size (Clopper and Pearson 1934), which Korn and Graubard
   propose and national health statistics use
   (https://www.cdc.gov/nchs/data/series/sr_02/sr02_175.pdf). It has a width even if no error was
   observed. It is conservative with few images: Wilson's interval is shorter, but with ten images
   and an error rate of 5 % it misses the truth in up to 14 % of cases.
3. The difference of two models on the same images has the interval of Zou and Donner 2008
   (https://doi.org/10.1002/sim.3095), from both models' intervals and the correlation of their
   values over the same reweighted images; for shares of images it is Newcombe's method 10 of 1998.

`benchmarks/coverage` measures how often they contain the truth (docs/gate.md). The interval of a
share of 1 or 0 depends on the number of groups alone.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

LEVEL = 0.95
"""Of all intervals."""


class Interval(NamedTuple):
    """From `low` to `high`."""

    low: float
    high: float


def clopper_pearson(share: float, number: float, level: float = LEVEL) -> Interval:
    """Return the exact interval of a share (Clopper and Pearson 1934).

    Args:
        share: In [0, 1].
        number: Effective sample size; need not be whole.
        level: Confidence level, in (0, 1).

    Returns:
        NaNs if the share is NaN, or the number is 0.
    """
    from scipy.special import betaincinv  # here, as in judging.embedded_images

    if not number > 0 or share != share:
        return Interval(math.nan, math.nan)
    hits, tail = share * number, (1 - level) / 2
    misses = number - hits
    low = betaincinv(hits, misses + 1, tail) if share > 0 else 0.0
    high = betaincinv(hits + 1, misses, 1 - tail) if share < 1 else 1.0
    # Rounding must not leave the share itself outside.
    return Interval(min(float(low), share), max(float(high), share))


def simultaneous_level(count: int, level: float = LEVEL) -> float:
    """Return the level of each of several independent intervals that hold at once (Sidak 1967).

    The worst of several classes is chosen after the fact, so its interval has to allow for all.
    """
    return float(level ** (1 / max(1, count)))


def by_groups(influence: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the covariance of metrics over the groups of images that they were measured on.

    Args:
        influence: float64 [k, n], of each of n images on each of k metrics (`influence.Estimate`).
        groups: [n], the group of each image; images of one group are not independent.

    Returns:
        float64 [k, k]; NaN for a metric that is not defined.
    """
    of_groups = sums(influence, groups)
    count = of_groups.shape[1]
    return of_groups @ of_groups.T * count / max(1, count - 1)


def by_pairs(
    influence: np.ndarray, left: np.ndarray, right: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """Return the covariance of metrics of pairs over the groups of their images.

    Args:
        influence: float64 [k, p], of each of p pairs on each of k metrics; its mean has to be zero
            in each sample of pairs whose size is fixed (`influence.centred`).
        left: int [p], the index of each pair's left image.
        right: int [p], that of its right one.
        groups: [n], the group of each image; None: each image is a group of its own.

    Returns:
        float64 [k, k]; NaN for a metric that is not defined.
    """
    ends = _numbered(np.stack([left, right] if groups is None else [groups[left], groups[right]]))
    (one, other), count = ends, int(ends.max()) + 1
    within = one == other
    of_groups = np.stack(
        [
            np.bincount(one, row, count) + np.bincount(other, np.where(within, 0, row), count)
            for row in influence
        ]
    )
    couples = np.minimum(one, other) * count + np.maximum(one, other)
    of_two = sums(np.where(within, 0, influence), couples)
    # Each residual is too small by its leverage, 2 of all groups (HC3: MacKinnon and White 1985,
    # https://doi.org/10.1016/0304-4076(85)90158-7).
    leverage = (count / max(1, count - 2)) ** 2
    found = (of_groups @ of_groups.T - of_two @ of_two.T) * leverage
    # Pairs with a group in common are alike if anything, so no metric varies less than by couples.
    least = (sums(influence, couples) ** 2).sum(1)
    np.fill_diagonal(found, np.maximum(np.diag(found), least))
    return found


def sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the sums of values float64 [k, n] within each group [n]: float64 [k, g]."""
    place = _numbered(groups)
    return np.stack([np.bincount(place, row) for row in values])


def effective_groups(groups: np.ndarray) -> float:
    """Return the effective number of groups [n], less if their sizes differ (Kish 1965).

    It is the effective sample size of n images if those of a group are all alike, and n if each is
    a group of its own.
    """
    sizes = np.unique(groups, return_counts=True)[1]
    return float(sizes.sum() ** 2 / max(1, (sizes**2).sum()))


def _numbered(names: np.ndarray) -> np.ndarray:
    """Return the index of each name, of any shape, among all names."""
    return np.unique(names, return_inverse=True)[1].reshape(np.shape(names))


def effective_number(
    share: float, variance: float, groups: int, least: float, most: float = math.inf
) -> float:
    """Return the effective sample size of a proportion.

    Args:
        share: The measured proportion, in [0, 1].
        variance: Its variance, estimated from groups of images.
        groups: Number of these groups; of metrics of pairs half of it, the number of disjoint
            pairs. With few groups the variance itself is uncertain, so the
            result is multiplied by the squared ratio of the quantiles of the normal and of
            Student's distribution with one degree of freedom less than there are groups.
        least: Lower limit of the effective sample size: of shares of images it is the
            `effective_groups`; of pairs half of that, since n images always contain n / 2 disjoint
            pairs (and averaging over more pairs does not increase the variance: Hoeffding 1948).
        most: Upper limit, such as the number of pairs.
    """
    from scipy.special import stdtrit  # here, as in judging.embedded_images

    if not 0 < share < 1 or not variance > 0:
        return least
    known = (_z(LEVEL) / stdtrit(max(1, groups - 1), (1 + LEVEL) / 2)) ** 2
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
        covariances: From `by_groups` or `by_pairs`.
        one: Index of a metric.
        other: Index of the other.
    """
    variance = covariances[one, one] * covariances[other, other]
    if not variance > 0:
        return math.nan
    return float(np.clip(covariances[one, other] / math.sqrt(variance), -1, 1))


def needed(value: float, bound: float, required: float, images: int) -> int | None:
    """Return about how many images would bring a bound to the required number.

    The value is assumed to stay. An interval narrows with the square root of the number of images;
    one of a value of 1, by Clopper and Pearson, as the root of that degree.

    Returns:
        None if no number would: the value itself is not beyond the required one.
    """
    room, reach = abs(value - required), abs(value - bound)
    if room == 0 or (value - required) * (value - bound) <= 0:
        return None
    if value == 1 and 0 < bound < required < 1:
        return max(images + 1, math.ceil(images * math.log(bound) / math.log(required)))
    return max(images + 1, math.ceil(images * (reach / room) ** 2))


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
