"""Gives images a class by a support set, as `classify` does, many at a time. NumPy alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from judging.classifier import (
    centroid_distances,
    class_centroids,
    class_mean,
    normalize,
    squared_distances,
)

MOST_NEIGHBOURS = 5
"""Nearest labelled images that are looked at."""

_AT_ONCE = 1024
"""Images."""


class Support(NamedTuple):
    """Labelled images that others are classified by.

    Attributes:
        embeddings: float [s, d].
        labels: str [s], their classes.
        sources: str [s], their files.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    sources: np.ndarray


class Answers(NamedTuple):
    """What each of n images is told to be.

    Attributes:
        label: str [n], the best class.
        score: float64 [n], its score, 1 - d²/2, as `SupportSet.classify` gives it.
        own_score: float64 [n], that of the image's own class; NaN where it has no support.
        neighbours: int [n, k], places of the nearest labelled images, nearest first.
        rival: int [n], the place of the nearest labelled image of the best class.
    """

    label: np.ndarray
    score: np.ndarray
    own_score: np.ndarray
    neighbours: np.ndarray
    rival: np.ndarray


def by_support(support: Support, embeddings: np.ndarray, labels: np.ndarray) -> Answers:
    """Classify by a support set, which the images are not in.

    Args:
        support: The labelled images.
        embeddings: float [n, d].
        labels: str [n], the images' own classes.
    """
    known = class_centroids(support.embeddings, support.labels)
    rows = normalize(support.embeddings - known.centre)
    own = _places(known.classes, labels)
    parts = []
    for part in _parts(len(embeddings)):
        query = normalize(embeddings[part] - known.centre)
        distances = centroid_distances(known, embeddings[part])
        parts.append(_answers(distances, own[part], known.classes, query, rows, support.labels))
    return _joined(parts)


def by_each_other(embeddings: np.ndarray, labels: np.ndarray) -> Answers:
    """Classify each image by all others, itself left out, where classes have no support set.

    As `few_shot_accuracy` does. An image without another of its class has no score of its own
    class, and should not be counted.

    Args:
        embeddings: float [n, d].
        labels: str [n], their classes.
    """
    rows = normalize(embeddings - class_mean(embeddings, labels))
    classes, own = np.unique(labels, return_inverse=True)
    sizes = np.bincount(own).astype("float64")
    sums = np.zeros((len(classes), rows.shape[1]))
    np.add.at(sums, own, rows)
    centroids = sums / sizes[:, None]
    parts = []
    for part in _parts(len(rows)):
        query, here = rows[part], own[part]
        distances = squared_distances(query, centroids)
        with np.errstate(invalid="ignore", divide="ignore"):
            without = (sums[here] - query) / (sizes[here] - 1)[:, None]
        distances[np.arange(len(query)), here] = ((query - without) ** 2).sum(1)
        places = np.arange(part.start, part.start + len(query))
        parts.append(_answers(distances, here, classes, query, rows, labels, places))
    return _joined(parts)


def _answers(
    distances: np.ndarray,
    own: np.ndarray,
    classes: np.ndarray,
    query: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    places: np.ndarray | None = None,
) -> Answers:
    """Of some images; `places` are their own among the labelled ones, which do not count."""
    each = np.arange(len(query))
    best = np.argmin(np.where(np.isnan(distances), np.inf, distances), axis=1)
    scores = np.clip(1 - distances / 2, -1, 1)
    own_score = np.where(own >= 0, scores[each, np.maximum(own, 0)], np.nan)
    to_rows = squared_distances(query, rows)
    if places is not None:
        to_rows[each, places] = np.inf
    most = min(MOST_NEIGHBOURS, len(rows) - (places is not None))
    nearest = np.argsort(to_rows, axis=1, kind="stable")[:, :most]
    rival = np.argmin(np.where(labels == classes[best][:, None], to_rows, np.inf), axis=1)
    return Answers(classes[best], scores[each, best], own_score, nearest, rival)


def _joined(parts: list[Answers]) -> Answers:
    return Answers(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _places(classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Where each label is among the classes, which are in order; -1 where it is not."""
    at = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[at] == labels, at, -1)


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, max(1, count), _AT_ONCE):
        yield slice(start, min(start + _AT_ONCE, count))
