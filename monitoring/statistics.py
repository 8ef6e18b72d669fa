"""Two-sample tests between a reference of a few judged images and a period's traffic.

All of them are exact under the hypothesis that nothing has changed: labels "reference" and
"traffic" are then exchangeable among the images, whatever these look like. So a p-value is at most
a with probability at most a, also with a reference of 20 images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

DRAWS = 1999
"""Permutations of a test."""

_MOST_SCORES, _MOST_EMBEDDINGS = 10_000, 1000
"""Images of the traffic that are drawn for a test: what it can find is limited by the reference."""

_ROUNDING = 1e-9


def _some(most: int, seed: int, *columns: np.ndarray) -> list[np.ndarray]:
    """Return the same rows of each column, at most so many, drawn at random."""
    count = len(columns[0])
    if count <= most:
        return list(columns)
    chosen = np.random.default_rng(seed).choice(count, most, replace=False)
    return [column[chosen] for column in columns]


class LowScores(NamedTuple):
    """The test for more images of low scores.

    Attributes:
        p_value: Of the whole test.
        cut: The most telling score: images below it are compared.
        at_threshold: Whether that is the model's threshold; `cut` is then NaN.
        reference_share: Share of the reference's images below the most telling cut.
        traffic_share: Share of the traffic's below the same cut.
    """

    p_value: float
    cut: float
    at_threshold: bool
    reference_share: float
    traffic_share: float

    @property
    def effect(self) -> float:
        """By how much the share has grown."""
        return self.traffic_share - self.reference_share


def more_low_scores(
    reference: np.ndarray,
    reference_known: np.ndarray,
    traffic: np.ndarray,
    traffic_known: np.ndarray,
    draws: int = DRAWS,
    seed: int = 0,
) -> LowScores:
    """Test whether the traffic has more images of low scores, which are like no class.

    The share below a cut is compared by Fisher's exact test, one-sided, at several cuts: the
    model's own threshold, and the lowest scores of the reference, below which hardly any image of a
    known class should be. The smallest of these p-values is compared with that of random labels
    (Tippett's combination; as Berk and Jones 1979 over all cuts), which allows for their number.

    Args:
        reference: float [n], best scores of the reference's images.
        reference_known: bool [n], whether the model takes them for known.
        traffic: float [m], best scores of the traffic.
        traffic_known: bool [m].
        draws: Random labels.
        seed: Of these, and of the images drawn.
    """
    traffic, traffic_known = _some(_MOST_SCORES, seed, traffic, traffic_known)
    unknown = int(np.sum(~reference_known)), int(np.sum(~traffic_known))
    n, m = len(reference), len(traffic)
    lowest = np.sort(reference)[: max(1, -(-n // _CUT_EVERY))]
    below = np.searchsorted(np.sort(traffic), lowest)  # of the traffic, below each
    ranks = np.arange(len(lowest))  # of the reference, below each
    of_reference = np.append(ranks, unknown[0])
    of_traffic = np.append(below, unknown[1])
    p_values = stats.hypergeom.cdf(of_reference, n + m, n, of_reference + of_traffic)
    best = int(np.argmin(p_values))
    least = _least_p_values(n, m, len(lowest), sum(unknown), draws, seed)
    reached = int(np.count_nonzero(least <= p_values[best] * (1 + _ROUNDING)))
    return LowScores(
        (1 + reached) / (1 + draws),
        float(np.append(lowest, np.nan)[best]),
        best == len(lowest),
        float(of_reference[best] / n),
        float(of_traffic[best] / m),
    )


_CUT_EVERY = 40
"""A cut for each so many images of the reference."""


def _least_p_values(n: int, m: int, cuts: int, unknown: int, draws: int, seed: int) -> np.ndarray:
    """Return the smallest p-value of each of some random labels, float [draws]."""
    rng = np.random.default_rng(seed)
    ranks = np.arange(cuts)
    keys = rng.random((draws, n + m), "float32")
    places = np.sort(np.argpartition(keys, n - 1, axis=1)[:, :n], axis=1)  # of the reference
    below = places[:, :cuts] - ranks  # of the traffic
    at_cuts = stats.hypergeom.cdf(ranks, n + m, n, ranks + below)
    at_threshold = stats.hypergeom.cdf((places < unknown).sum(axis=1), n + m, n, unknown)
    return np.minimum(at_cuts.min(axis=1), at_threshold)


class Shift(NamedTuple):
    """The test for a shift of the embeddings.

    Attributes:
        p_value: Of the test.
        effect: The shift in standard deviations of images of a class along its own direction (with
            the ridge, so rather too small), without what chance contributes on average.
        images: Of the reference and of the traffic, how many it rests on.
    """

    p_value: float
    effect: float
    images: tuple[int, int]


def shift(
    reference: np.ndarray,
    reference_classes: np.ndarray,
    traffic: np.ndarray,
    traffic_classes: np.ndarray,
    draws: int = DRAWS,
    seed: int = 0,
) -> Shift | None:
    """Test whether the images of all classes have moved the same way, as by a camera or a lens.

    Images are compared within the classes that the model gives them, so that more images of one
    class are no shift. The statistic is the mean difference over the classes, measured by the
    covariance within the classes with a ridge (Hotelling's T² as regularized by Chen et al. 2011,
    https://doi.org/10.1198/jasa.2011.tm10155); labels are permuted within the classes.

    Args:
        reference: float [n, d], embeddings of the reference.
        reference_classes: str [n], classes that the model gives them.
        traffic: float [m, d].
        traffic_classes: str [m].
        draws: Permutations.
        seed: Of these, and of the images drawn.

    Returns:
        None if no class has three images, of both samples.
    """
    rng = np.random.default_rng(seed)
    traffic, traffic_classes = _some(_MOST_EMBEDDINGS, seed, traffic, traffic_classes)
    rows = np.concatenate([reference, traffic]).astype("float64")
    classes = np.concatenate([reference_classes, traffic_classes])
    ours = np.arange(len(rows)) >= len(reference)
    members = [
        one
        for label in np.unique(classes)
        if len(one := np.flatnonzero(classes == label)) > 2 and 0 < ours[one].sum() < len(one)
    ]
    if not members:
        return None
    weight = 0.0  # effective number of pairs of images
    for one in members:
        rows[one] -= rows[one].mean(axis=0)
        weight += ours[one].sum() * (~ours[one]).sum() / len(one)
    kept = np.concatenate(members)
    whitened = _whitened(rows[kept], len(kept) - len(members))
    sizes = np.cumsum([len(one) for one in members])[:-1]

    # Rows are centred, so the traffic's sum is the weighted sum of the classes' differences.
    def squared(labels: np.ndarray) -> np.ndarray:
        return ((labels @ whitened) ** 2).sum(axis=-1) / weight**2

    observed = float(squared(ours[kept].astype("float32")))
    found = np.empty(draws)
    for start in range(0, draws, _AT_ONCE):
        count = min(_AT_ONCE, draws - start)
        parts = np.split(np.tile(ours[kept], (count, 1)), sizes, axis=1)
        labels = np.concatenate([rng.permuted(part, axis=1) for part in parts], axis=1)
        found[start : start + count] = squared(labels.astype("float32"))
    p_value = (1 + np.count_nonzero(found >= observed * (1 - _ROUNDING))) / (1 + draws)
    effect = float(np.sqrt(max(0.0, observed - found.mean())))
    count = int(ours[kept].sum())
    return Shift(p_value, effect, (len(kept) - count, count))


_AT_ONCE = 250


def _whitened(rows: np.ndarray, freedom: int) -> np.ndarray:
    """Return centred rows [n, d] scaled by their covariance plus its mean variance: [n, k]."""
    left, lengths, _ = np.linalg.svd(rows, full_matrices=False)
    variances = lengths**2 / max(1, freedom)
    ridge = max(variances.mean(), 1e-12)
    return (left * lengths / np.sqrt(variances + ridge)).astype("float32")


class Mix(NamedTuple):
    """The test for another mix of classes.

    Attributes:
        p_value: Of the chi-squared statistic under random labels.
        effect: The total variation distance: the share of images that would have to change class.
    """

    p_value: float
    effect: float


def mix(reference: np.ndarray, traffic: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Mix:
    """Test whether two samples of classes, str [n] and str [m], are mixed alike."""
    _, places = np.unique(np.concatenate([reference, traffic]), return_inverse=True)
    of_class = np.bincount(places)
    n, m = len(reference), len(traffic)
    counts = np.bincount(places[:n], minlength=len(of_class))
    expected = of_class * n / (n + m)

    def statistic(found: np.ndarray) -> np.ndarray:
        return ((found - expected) ** 2 / expected).sum(axis=-1)

    rng = np.random.default_rng(seed)
    random = rng.multivariate_hypergeometric(of_class, n, size=draws)
    reached = np.count_nonzero(statistic(random) >= statistic(counts) * (1 - _ROUNDING))
    distance = np.abs(counts / n - (of_class - counts) / m).sum() / 2
    return Mix((1 + reached) / (1 + draws), float(distance))
