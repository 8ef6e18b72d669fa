"""Best classes' scores of images of known classes, and of unknown images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from judging.classifier import Support, best_scores
from judging.thresholds import known_and_unknown


class Scores(NamedTuple):
    """Best classes' scores of known and unknown images.

    Attributes:
        known: float64 [k].
        known_image: int [k], the indices of the images.
        unknown: float64 [u].
        unknown_image: int [u]; an image may be among both, once with its class and once without.
    """

    known: np.ndarray
    known_image: np.ndarray
    unknown: np.ndarray
    unknown_image: np.ndarray

    def every(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all scores, float64 [k + u], and which are of known images, bool [k + u]."""
        every = np.concatenate([self.known, self.unknown])
        return every, np.arange(len(every)) < len(self.known)


def open_set_scores(
    support: Support,
    embeddings: np.ndarray,
    labels: np.ndarray,
    unknown: np.ndarray,
    groups: np.ndarray | None = None,
) -> Scores | None:
    """Return the scores, as `judging.thresholds.known_and_unknown` calculates them.

    Args:
        support: The model's support set.
        embeddings: float [n, d], of test images.
        labels: str [n], their classes.
        unknown: float [u, d], embeddings of unknown images, whose indices start at n. Without any,
            each class is left out in turn.
        groups: int [n], the groups of the test images; None: each is one by itself.

    Returns:
        None if there are too few classes.
    """
    by = support.scored_by
    found = known_and_unknown(support.embeddings, support.labels, embeddings, labels, groups)
    if not len(unknown):
        if found is None:
            return None
        return Scores(found.known.by(by), found.queries, found.unknown.by(by), found.queries)
    places = len(embeddings) + np.arange(len(unknown))
    if set(labels) <= set(support.labels):
        known, unknown_scores = (
            best_scores(support.embeddings, support.labels, x).by(by) for x in (embeddings, unknown)
        )
        return Scores(known, np.arange(len(embeddings)), unknown_scores, places)
    if found is None:
        return None
    of_support = np.ones(len(embeddings), bool)
    of_support[found.queries] = False
    unknown_scores = best_scores(embeddings[of_support], labels[of_support], unknown).by(by)
    return Scores(found.known.by(by), found.queries, unknown_scores, places)
