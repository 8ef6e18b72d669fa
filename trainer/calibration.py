"""Chooses the served model's thresholds on the validation split. NumPy and scikit-learn alone.

A threshold is where the two kinds of error are equally frequent (the equal error rate), so it does
not depend on how many of each kind the split happens to hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_curve

from trainer.few_shot import centroid_distances, class_centroids

DEFAULT_SAME = 0.5
"""The even point of the pair head, which is trained with both kinds of pairs balanced."""

DEFAULT_KNOWN = -1.0
"""The lowest score: every image is taken for one of a known class."""


class Thresholds(NamedTuple):
    """At and above which the served model says yes.

    Attributes:
        same: Of the similarity of a pair, in [0, 1].
        known: Of the best class's score, in [-1, 1].
    """

    same: float = DEFAULT_SAME
    known: float = DEFAULT_KNOWN


def same_threshold(similarities: np.ndarray, target: np.ndarray) -> float:
    """At which pairs are the same.

    Args:
        similarities: float [p], of validation pairs.
        target: [p], 1 where both images are of one class, else 0.

    Returns:
        `DEFAULT_SAME` where the pairs are all of one kind, or a similarity is no number.
    """
    return _equal_error(similarities, np.asarray(target) == 1, DEFAULT_SAME)


def known_threshold(
    support: np.ndarray, support_labels: np.ndarray, query: np.ndarray, query_labels: np.ndarray
) -> float:
    """At which an image is of one of the support set's classes.

    Every query's best score counts as a known image's; and once more as an unknown one's, with its
    own class taken out of the support set as if it had never been there.

    Where queries are of classes that the support set lacks, as when whole classes are held out,
    every other query of each class takes the support set's place.

    Args:
        support: float [s, d], embeddings of training images.
        support_labels: [s], their classes.
        query: float [q, d], embeddings of validation images.
        query_labels: [q].

    Returns:
        `DEFAULT_KNOWN` where there are fewer than three classes (with one of two taken out, nothing
        is left to be compared), no query, or where an embedding is no number.
    """
    query_labels, support_labels = np.asarray(query_labels), np.asarray(support_labels)
    if not set(query_labels) <= set(support_labels):
        of_support = _every_other(query_labels)
        support, support_labels = query[of_support], query_labels[of_support]
        query, query_labels = query[~of_support], query_labels[~of_support]
    classes = np.unique(support_labels)
    if len(classes) < 3 or not len(query):
        return DEFAULT_KNOWN
    known = _best_scores(support, support_labels, query)
    unknown = [
        _best_scores(support[support_labels != c], support_labels[support_labels != c], own)
        for c in classes
        if len(own := query[query_labels == c])
    ]
    scores = np.concatenate([known, *unknown])
    return _equal_error(scores, np.arange(len(scores)) < len(known), DEFAULT_KNOWN)


def _best_scores(support: np.ndarray, labels: np.ndarray, query: np.ndarray) -> np.ndarray:
    distances = centroid_distances(class_centroids(support, labels), query)
    # As in `SupportSet.classify`.
    return np.clip(1 - distances.min(axis=1) / 2, -1, 1)


def _every_other(labels: np.ndarray) -> np.ndarray:
    """Which of the labels [n] are the first, third, ... of their kind: bool [n]."""
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[::2]] = True
    return chosen


def _equal_error(scores: np.ndarray, positive: np.ndarray, default: float) -> float:
    """Where as many positives are missed as negatives are taken, by share.

    The threshold lies halfway between two scores, so it favours neither kind where they are apart.
    """
    if not np.isfinite(scores).all() or len(np.unique(positive)) < 2:
        return default
    scores = np.asarray(scores, "float64")
    taken, found, at = roc_curve(positive, scores, drop_intermediate=False)
    missed = 1 - found
    # Of points where the shares differ equally, that with the fewest errors.
    best = np.lexsort((taken + missed, np.round(np.abs(taken - missed), 12)))[0]
    # The first of roc_curve's thresholds is infinite: nothing is taken.
    lower = scores[scores < at[best]]
    upper = min(at[best], scores.max())
    return float((upper + lower.max()) / 2) if len(lower) else float(upper)
