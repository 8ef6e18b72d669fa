"""Calibrates the served model's thresholds on the validation split.

A threshold is where both error rates are equal (the equal error rate), or where the false positive
rate is at most a given one. Neither depends on how many cases of each kind the split holds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from judging.classifier import BestScores, best_scores
from judging.probabilities import DEFAULT_TEMPERATURE
from judging.statistics.roc import Roc, just_above, with_false_positives
from records.scored_by import ScoredBy

DEFAULT_SAME = 0.5
"""The even point of the pair head, which is trained with both kinds of pairs balanced."""

DEFAULT_KNOWN = -1.0
"""The lowest score: every image counts as one of a known class."""


KNOWN_ACCEPTED = 0.95
"""Share of the known images to accept where there are no unknown ones to calibrate by."""


class CalibratedThresholds(NamedTuple):
    """Thresholds of the served model, which answers yes at and above them.

    Attributes:
        same: For the similarity of a pair, in [0, 1].
        known: For the best class's score, in [-1, 1].
        temperature: No threshold: turns scores into probabilities (`judging.probabilities`).
        scored_by: What the scores are that `known` and `temperature` were calibrated on.
    """

    same: float = DEFAULT_SAME
    known: float = DEFAULT_KNOWN
    temperature: float = DEFAULT_TEMPERATURE
    scored_by: ScoredBy = "cosine"


def same_threshold(
    similarities: np.ndarray, target: np.ndarray, max_fpr: float | None = None
) -> float:
    """Return the threshold at which a pair counts as one of the same class.

    Args:
        similarities: float [p], of validation pairs.
        target: [p], 1 if both images are of one class, else 0.
        max_fpr: Greatest share of the pairs of different classes to call the same; None: the equal
            error rate.

    Returns:
        `DEFAULT_SAME` if the pairs are all of one kind, or a similarity is not finite.
    """
    return _calibrated(similarities, np.asarray(target) == 1, max_fpr, DEFAULT_SAME)


def known_from_scores(
    known: np.ndarray, unknown: np.ndarray, max_fpr: float | None = None
) -> float:
    """Return the score at which an image counts as one of a known class.

    Args:
        known: float [k], best scores of images of known classes that nothing was fitted on.
        unknown: float [u], the same of classes that nothing was fitted on.
        max_fpr: Greatest share of the unknown images to call known; None: the equal error rate.

    Returns:
        Without unknown scores, that which `KNOWN_ACCEPTED` of the known images reach: the other
        error is not known (split conformal prediction, Vovk et al. 2005). `DEFAULT_KNOWN` if there
        is no known score.
    """
    if not len(known):
        return DEFAULT_KNOWN
    if not len(unknown):
        rank = int(np.floor((len(known) + 1) * (1 - KNOWN_ACCEPTED)))
        return float(np.sort(known)[rank - 1]) if rank else DEFAULT_KNOWN
    scores = np.concatenate([known, unknown])
    return _calibrated(scores, np.arange(len(scores)) < len(known), max_fpr, DEFAULT_KNOWN)


class KnownAndUnknown(NamedTuple):
    """Best scores of the same images, with their class in the support set and without it.

    Attributes:
        queries: int [k], indices of the queries.
        labels: [k], their classes.
        known: Of k images.
        unknown: Of the same.
    """

    queries: np.ndarray
    labels: np.ndarray
    known: BestScores
    unknown: BestScores


def known_and_unknown(
    support: np.ndarray,
    support_labels: np.ndarray,
    query: np.ndarray,
    query_labels: np.ndarray,
    query_groups: np.ndarray | None = None,
) -> KnownAndUnknown | None:
    """Return best scores of known images, and of unknown ones by leaving out each class in turn.

    If the support set lacks classes of the queries, as where whole classes are held out, every
    other group of queries of each class takes the support set's place.

    Args:
        support: float [s, d], embeddings.
        support_labels: [s], their classes.
        query: float [q, d].
        query_labels: [q].
        query_groups: int [q], the groups of the images; None: each is one by itself.

    Returns:
        None if there are fewer than three classes, or no query.
    """
    query_labels, support_labels = np.asarray(query_labels), np.asarray(support_labels)
    queries = np.arange(len(query))
    if not set(query_labels) <= set(support_labels):
        alone = np.arange(len(query_labels))
        of_support = _every_other(query_labels, alone if query_groups is None else query_groups)
        support, support_labels = query[of_support], query_labels[of_support]
        query, query_labels, queries = (a[~of_support] for a in (query, query_labels, queries))
    classes = np.unique(support_labels)
    if len(classes) < 3 or not len(query):
        return None
    unknown = BestScores(*np.empty((2, len(query))))
    for c in classes:
        own, others = query_labels == c, support_labels != c
        if own.any():
            of_class = best_scores(support[others], support_labels[others], query[own])
            unknown.cosine[own], unknown.margin[own] = of_class
    known = best_scores(support, support_labels, query)
    return KnownAndUnknown(queries, query_labels, known, unknown)


def _every_other(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return which images are of the first, third, ... group of their class: bool [n].

    A group of several classes goes where they have fewer groups so far.

    Args:
        labels: [n], the images' classes.
        groups: int [n], their groups.
    """
    classes, of_class = np.unique(labels, return_inverse=True)
    chosen, surplus = np.zeros(len(labels), bool), np.zeros(len(classes), int)
    places, first = np.unique(groups, return_index=True)
    for group in places[np.argsort(first)]:
        members = groups == group
        touched = np.unique(of_class[members])
        chosen[members] = surplus[touched].sum() <= 0
        surplus[touched] += 1 if chosen[members].all() else -1
    return chosen


def _calibrated(
    scores: np.ndarray, positive: np.ndarray, max_fpr: float | None, default: float
) -> float:
    """Return a threshold halfway between two scores."""
    if not np.isfinite(scores).all() or len(np.unique(positive)) < 2:
        return default
    roc = Roc(scores, positive)
    *distinct, _ = roc.thresholds.tolist()
    if max_fpr is None:
        best = min(roc.equal_error(), len(distinct) - 1)  # not infinity, if all scores are equal
    else:
        best = with_false_positives(roc.fpr, roc.fnr, max_fpr)
    if best == len(distinct):
        return just_above(distinct[-1])
    return (distinct[best] + distinct[max(0, best - 1)]) / 2
