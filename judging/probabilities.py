"""Turns class scores into probabilities by a temperature that is calibrated on validation images.

The probability of class c is exp(s_c / T) / sum over k of exp(s_k / T), where s are the scores of
`judging.classifier.class_scores`: temperature scaling, Guo et al. 2017 (https://arxiv.org/abs/1706.04599).
It does not change which class is best, and says nothing about out-of-distribution images: the
probabilities of a query are its shares among the known classes.
"""

from __future__ import annotations

import numpy as np

from judging.classifier import class_centroids, class_scores, cosines
from records.scored_by import ScoredBy

DEFAULT_TEMPERATURE = 0.1
"""Where nothing can be calibrated: scores that differ by 0.1 differ by a factor e."""

_BOUNDS = (0.005, 5.0)


def temperature(
    support: np.ndarray,
    support_labels: np.ndarray,
    query: np.ndarray,
    query_labels: np.ndarray,
    scored_by: ScoredBy = "cosine",
) -> float:
    """Return the temperature with the least cross-entropy on labelled images.

    Where all images are classified correctly, cross-entropy alone would choose 0, and claim
    certainty from a few images. So the target of n images is not 1, but (n + 1) / (n + 2), as in
    Platt 1999; the rest is shared by the other classes.

    Args:
        support: float [s, d], embeddings of training images.
        support_labels: [s], their classes.
        query: float [q, d], embeddings of validation images.
        query_labels: [q].
        scored_by: What a class's score is made of.

    Returns:
        `DEFAULT_TEMPERATURE` if there are fewer than two classes, no query, a class that has no
        support, as where whole classes are held out, or an embedding that is not finite.
    """
    known = class_centroids(support, support_labels)
    if not len(query) or not set(query_labels) <= set(support_labels):
        return DEFAULT_TEMPERATURE
    found = class_scores(cosines(known.distances(query)), scored_by)
    return temperature_of_scores(found, np.asarray(np.searchsorted(known.classes, query_labels)))


def temperature_of_scores(found: np.ndarray, own: np.ndarray) -> float:
    """Return the temperature for scores float [n, c]; `own`, int [n], is each image's own class."""
    from scipy import optimize, special  # here, as in judging.embedded_images

    count, classes = found.shape
    if classes < 2 or not count or not np.isfinite(found).all():
        return DEFAULT_TEMPERATURE
    rest = 1 / (count + 2)
    target = np.full(found.shape, rest / (classes - 1))
    target[np.arange(count), own] = 1 - rest

    def cross_entropy(log_temperature: float) -> float:
        logs = special.log_softmax(found / np.exp(log_temperature), axis=1)
        return float(-(target * logs).sum(axis=1).mean())

    best = optimize.minimize_scalar(cross_entropy, bounds=np.log(_BOUNDS), method="bounded")
    return float(np.exp(best.x))
