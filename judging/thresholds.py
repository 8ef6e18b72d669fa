"""Chooses the served model's thresholds on the validation split. NumPy and scikit-learn alone.

A threshold is where the two kinds of error are equally frequent (the equal error rate), or where no
more than a wanted share of the wrong kind is accepted. Either way it does not depend on how many of
each kind the split happens to hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_curve

from judging.classifier import centroid_distances, class_centroids

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


def same_threshold(
    similarities: np.ndarray, target: np.ndarray, false_accepts: float | None = None
) -> float:
    """At which pairs are the same.

    Args:
        similarities: float [p], of validation pairs.
        target: [p], 1 where both images are of one class, else 0.
        false_accepts: Share of the pairs of different classes to take for the same, at most; None:
            the equal error rate.

    Returns:
        `DEFAULT_SAME` where the pairs are all of one kind, or a similarity is no number.
    """
    return _choose(similarities, np.asarray(target) == 1, false_accepts, DEFAULT_SAME)


def known_threshold(
    support: np.ndarray,
    support_labels: np.ndarray,
    query: np.ndarray,
    query_labels: np.ndarray,
    false_accepts: float | None = None,
) -> float:
    """At which an image is of one of the support set's classes, by `known_and_unknown`.

    Args:
        support: float [s, d], embeddings of training images.
        support_labels: [s], their classes.
        query: float [q, d], embeddings of validation images.
        query_labels: [q].
        false_accepts: Share of the unknown images to take for known ones, at most; None: the equal
            error rate.

    Returns:
        `DEFAULT_KNOWN` where there are fewer than three classes (with one of two taken out, nothing
        is left to be compared), no query, or where an embedding is no number.
    """
    found = known_and_unknown(support, support_labels, query, query_labels)
    if found is None:
        return DEFAULT_KNOWN
    scores = np.concatenate([found.known, found.unknown])
    return _choose(scores, np.arange(len(scores)) < len(found.known), false_accepts, DEFAULT_KNOWN)


class KnownAndUnknown(NamedTuple):
    """Best scores of the same images, once with their class in the support set and once without.

    Attributes:
        queries: int [k], which of the queries they are of.
        known: float64 [k].
        unknown: float64 [k].
    """

    queries: np.ndarray
    known: np.ndarray
    unknown: np.ndarray


def known_and_unknown(
    support: np.ndarray, support_labels: np.ndarray, query: np.ndarray, query_labels: np.ndarray
) -> KnownAndUnknown | None:
    """What tells images of known classes from those of unknown ones.

    Every query's best score counts as a known image's; and once more as an unknown one's, with its
    own class taken out of the support set as if it had never been there.

    Where queries are of classes that the support set lacks, as when whole classes are held out,
    every other query of each class takes the support set's place.

    Args:
        support: float [s, d], embeddings.
        support_labels: [s], their classes.
        query: float [q, d].
        query_labels: [q].

    Returns:
        None where there are fewer than three classes, or no query.
    """
    query_labels, support_labels = np.asarray(query_labels), np.asarray(support_labels)
    queries = np.arange(len(query))
    if not set(query_labels) <= set(support_labels):
        of_support = _every_other(query_labels)
        support, support_labels = query[of_support], query_labels[of_support]
        query, query_labels, queries = (a[~of_support] for a in (query, query_labels, queries))
    classes = np.unique(support_labels)
    if len(classes) < 3 or not len(query):
        return None
    unknown = np.empty(len(query))
    for c in classes:
        own, others = query_labels == c, support_labels != c
        if own.any():
            unknown[own] = best_scores(support[others], support_labels[others], query[own])
    return KnownAndUnknown(queries, best_scores(support, support_labels, query), unknown)


def best_scores(support: np.ndarray, labels: np.ndarray, query: np.ndarray) -> np.ndarray:
    """The best score of each query [q, d], as `SupportSet.classify` gives it: float64 [q]."""
    distances = centroid_distances(class_centroids(support, labels), query)
    return np.clip(1 - distances.min(axis=1) / 2, -1, 1)


def _every_other(labels: np.ndarray) -> np.ndarray:
    """Which of the labels [n] are the first, third, ... of their kind: bool [n]."""
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[::2]] = True
    return chosen


def _choose(
    scores: np.ndarray, positive: np.ndarray, false_accepts: float | None, default: float
) -> float:
    """The threshold, halfway between two scores, so that it favours neither kind beyond need."""
    if not np.isfinite(scores).all() or len(np.unique(positive)) < 2:
        return default
    scores = np.asarray(scores, "float64")
    taken, found, at = roc_curve(positive, scores, drop_intermediate=False)
    missed = 1 - found
    if false_accepts is None:
        # Of points where the shares differ equally, that with the fewest errors.
        best = np.lexsort((taken + missed, np.round(np.abs(taken - missed), 12)))[0]
    else:
        # Of points that take no more than wanted, that which misses the fewest; of these the
        # highest. The first takes nothing.
        within = np.flatnonzero(taken <= false_accepts + 1e-12)
        best = within[np.lexsort((-at[within], missed[within]))[0]]
        if best == 0:
            return float(np.nextafter(np.float32(scores.max()), np.float32(np.inf)))
    # The first of roc_curve's thresholds is infinite: nothing is taken.
    lower = scores[scores < at[best]]
    upper = min(at[best], scores.max())
    return float((upper + lower.max()) / 2) if len(lower) else float(upper)
