"""Classifies queries by the few labelled images of a support set. NumPy alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


def few_shot_accuracy(
    support: np.ndarray, support_labels: np.ndarray, query: np.ndarray, query_labels: np.ndarray
) -> float:
    """Share of the queries whose nearest class centroid is that of their own class.

    Where the queries are of classes that the support set lacks, as when whole classes are held out,
    each query is compared with the centroids of the other queries.

    Args:
        support: float [s, d], embeddings.
        support_labels: [s], their classes.
        query: float [q, d].
        query_labels: [q].

    Returns:
        In [0, 1]; NaN where there is nothing to judge.
    """
    if len(query) == 0:
        return float("nan")
    if set(query_labels) <= set(support_labels):
        return float(np.mean(nearest_centroid(support, support_labels, query) == query_labels))
    return _leave_one_out(query, query_labels)


class ClassCentroids(NamedTuple):
    """What a support set comes to.

    Attributes:
        centre: float64 [d], the mean of the classes' means.
        classes: [c], in order.
        centroids: float64 [c, d], of each class the mean of its centred and normalized embeddings.
    """

    centre: np.ndarray
    classes: np.ndarray
    centroids: np.ndarray


def class_centroids(support: np.ndarray, support_labels: np.ndarray) -> ClassCentroids:
    """The centroids of a support set, embeddings float [s, d] with labels [s]."""
    centre = class_mean(support, support_labels)
    classes, membership = np.unique(support_labels, return_inverse=True)
    centroids = _means(normalize(support - centre), membership, len(classes))
    return ClassCentroids(centre, classes, centroids)


def centroid_distances(known: ClassCentroids, query: np.ndarray) -> np.ndarray:
    """Squared distances float64 [q, c] of queries float [q, d], centred and normalized."""
    return squared_distances(normalize(query - known.centre), known.centroids)


def nearest_centroid(
    support: np.ndarray, support_labels: np.ndarray, query: np.ndarray
) -> np.ndarray:
    """The class of the nearest centroid, for each query.

    Embeddings are centred by the support set's mean and L2-normalized: SimpleShot's CL2N (Wang et
    al. 2019, https://arxiv.org/abs/1911.04623).

    Args:
        support: float [s, d].
        support_labels: [s], their classes.
        query: float [q, d].

    Returns:
        Labels [q].
    """
    known = class_centroids(support, support_labels)
    return known.classes[np.argmin(centroid_distances(known, query), axis=1)]


def nearest_neighbour(
    support: np.ndarray, support_labels: np.ndarray, query: np.ndarray
) -> np.ndarray:
    """The class of the nearest support image, for each query [q, d], by Euclidean distance."""
    nearest = [
        np.argmin(np.hstack([squared_distances(some, part) for part in _parts(support)]), axis=1)
        for some in _parts(query)
    ]
    return np.asarray(support_labels)[np.concatenate(nearest)] if nearest else support_labels[:0]


_AT_ONCE = 128
"""Rows that are held as floats at a time: pixels are eight times as large then."""


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[i : i + _AT_ONCE] for i in range(0, len(rows), _AT_ONCE)]


def class_mean(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean of the classes' means, [d], so that a large class does not draw it to itself."""
    _, membership = np.unique(labels, return_inverse=True)
    return _means(embeddings, membership, membership.max() + 1).mean(axis=0)


def normalize(rows: np.ndarray) -> np.ndarray:
    """Rows [n, d] of length one; a row of zeros stays."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _leave_one_out(embeddings: np.ndarray, labels: np.ndarray) -> float:
    rows = normalize(embeddings - class_mean(embeddings, labels))
    classes, membership = np.unique(labels, return_inverse=True)
    sizes = np.bincount(membership)
    sums = _means(rows, membership, len(classes)) * sizes[:, None]
    hits = []
    for row, own in zip(rows, membership, strict=True):
        if sizes[own] == 1:  # nothing is left to recognize it by
            continue
        centroids = sums / sizes[:, None]
        centroids[own] = (sums[own] - row) / (sizes[own] - 1)
        hits.append(int(np.argmin(squared_distances(row[None], centroids)[0])) == own)
    return float(np.mean(hits)) if hits else float("nan")


def _means(rows: np.ndarray, membership: np.ndarray, count: int) -> np.ndarray:
    sums = np.zeros((count, rows.shape[1]), "float64")
    np.add.at(sums, membership, rows)
    return sums / np.bincount(membership, minlength=count)[:, None]


def squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of rows [n, d] to rows [m, d], computed in double precision: float64 [n, m]."""
    one, other = one.astype("float64"), other.astype("float64")
    return (one**2).sum(1)[:, None] - 2 * one @ other.T + (other**2).sum(1)[None]
