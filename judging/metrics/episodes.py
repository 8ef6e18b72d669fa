"""N-way K-shot episodes (Vinyals et al. 2016, https://arxiv.org/abs/1606.04080). NumPy alone.

Each episode draws N classes, K labelled images of each as support set and others as queries, all
from images that the model has never seen, so it tells how the model does on classes it is only
shown. Queries go to the nearest centroid, by SimpleShot as everywhere
(`judging.classifier.nearest_centroid`); here for many episodes at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from judging.classifier import normalize


class Episodes(NamedTuple):
    """Which images are in which episode.

    Attributes:
        support: int [e, n, k], indices of images; a class's are a row.
        query: int [e, n, q]; -1 where a class has no more images.
    """

    support: np.ndarray
    query: np.ndarray

    @property
    def ways(self) -> int:
        """Classes of an episode."""
        return self.support.shape[1]


def draw_episodes(
    labels: np.ndarray, ways: int, shots: int, queries: int, count: int, seed: int
) -> Episodes | None:
    """Draw episodes.

    Args:
        labels: [n], the images' classes.
        ways: N; fewer where fewer classes have images enough.
        shots: K.
        queries: Of each class, at most.
        count: Episodes.
        seed: Of the draw.

    Returns:
        None where not even two classes have an image more than `shots`.
    """
    names, membership = np.unique(labels, return_inverse=True)
    members = [np.flatnonzero(membership == c) for c in range(len(names))]
    members = [m for m in members if len(m) > shots]
    ways = min(ways, len(members))
    if ways < 2:
        return None
    rng = np.random.default_rng(seed)
    sizes = np.array([len(m) for m in members])
    table = np.full((len(members), sizes.max()), -1)
    for row, some in zip(table, members, strict=True):
        row[: len(some)] = some
    taken = min(shots + queries, table.shape[1])
    drawn = np.empty((count, ways, taken), int)
    for part in _parts(count, ways * table.shape[1]):
        some = len(drawn[part])
        classes = np.argsort(rng.random((some, len(members)), "float32"), axis=1)[:, :ways]
        keys = rng.random((some, ways, table.shape[1]), "float32")
        keys[np.arange(table.shape[1]) >= sizes[classes][..., None]] = 2  # padding comes last
        order = np.argpartition(keys, taken - 1, axis=2)[..., :taken]
        order = np.take_along_axis(
            order, np.argsort(np.take_along_axis(keys, order, axis=2), axis=2), axis=2
        )
        drawn[part] = np.take_along_axis(table[classes], order, axis=2)
    return Episodes(drawn[..., :shots], drawn[..., shots:])


def hits(embeddings: np.ndarray, episodes: Episodes) -> np.ndarray:
    """Which queries go to their own class: bool [e, n, q], False where there is no query.

    Args:
        embeddings: float [n, d].
        episodes: Of these images.
    """
    found = np.zeros(episodes.query.shape, bool)
    size = episodes.ways * (episodes.support.shape[2] + episodes.query.shape[2])
    for part in _parts(len(found), size * embeddings.shape[1]):
        support = embeddings[episodes.support[part]].astype("float64")
        query = embeddings[episodes.query[part]].astype("float64")
        centre = support.mean(axis=(1, 2), keepdims=True)
        centroids = _normal(support - centre).mean(axis=2)
        rows = _normal(query - centre)
        nearness = np.einsum("enqd,emd->enqm", rows, centroids)
        distances = (centroids**2).sum(2)[:, None, None] - 2 * nearness
        found[part] = distances.argmin(3) == np.arange(episodes.ways)[:, None]
    return found & (episodes.query >= 0)


class Accuracy(NamedTuple):
    """What several models reach on the same episodes.

    Attributes:
        values: float64 [k], shares of the queries, of each model.
        covariance: float64 [k, k], with the images that the episodes were drawn from.
    """

    values: np.ndarray
    covariance: np.ndarray


def accuracy(found: list[np.ndarray], episodes: Episodes, labels: np.ndarray) -> Accuracy:
    """Accuracies, and how they vary with the images: as queries and as support.

    Images are in many episodes, so these are not independent; what counts is how much each image
    adds, beside the other images of its class. It is a U-statistic's variance, by the infinitesimal
    jackknife (see `intervals`). Each half of the episodes gives every image's share, and their
    product is free of the noise of having drawn just these episodes; that noise is added for the
    whole.

    Args:
        found: Of `hits`, for each model.
        episodes: The episodes.
        labels: [n], the classes of all images that they were drawn from.
    """
    there = episodes.query >= 0
    values = np.array([f[there].mean() for f in found])
    first = np.arange(len(there)) < len(there) // 2
    shares = np.stack(
        [
            [_share_of_each_image(f, episodes, half, labels) for f in found]
            for half in (first, ~first)
        ]
    )
    by_images = shares[0] @ shares[1].T
    by_images = (by_images + by_images.T) / 2
    of_episodes = np.stack([(f & there).sum((1, 2)) / there.sum((1, 2)) for f in found])
    by_drawing = np.atleast_2d(np.cov(of_episodes)) / len(there)
    np.fill_diagonal(by_images, np.maximum(np.diag(by_images), 0))
    return Accuracy(values, by_images + by_drawing)


def _share_of_each_image(
    found: np.ndarray, episodes: Episodes, which: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """What each image adds to the accuracy, more than its class does in the mean: float64 [n]."""
    query, support = episodes.query[which], episodes.support[which]
    there = query >= 0
    cases, right = query[there], found[which][there]
    count = len(labels)
    drawn = np.maximum(np.bincount(cases, minlength=count), 1)
    own = np.bincount(cases, right, count) / drawn
    as_query = np.bincount(cases, right - right.mean(), count) / len(cases)
    # A support image has a part in what its episode gets right beyond what these queries do in the
    # mean. The others of its class are drawn from those that are left, which hides some of it.
    beyond = np.zeros(there.shape)
    beyond[there] = (right - own[cases]) / len(cases)
    whole = np.broadcast_to(beyond.sum((1, 2))[:, None, None], support.shape)
    as_support = np.bincount(support.ravel(), whole.ravel(), count)
    _, membership = np.unique(labels, return_inverse=True)
    sizes = np.bincount(membership)[membership]
    hidden = (sizes - 1) / np.maximum(sizes - support.shape[2], 1)
    share = _centred(as_query, membership) + hidden * _centred(as_support, membership)
    return share * np.sqrt(sizes / np.maximum(sizes - 1, 1))


def _centred(values: np.ndarray, membership: np.ndarray) -> np.ndarray:
    return values - (np.bincount(membership, values) / np.bincount(membership))[membership]


def _normal(rows: np.ndarray) -> np.ndarray:
    return normalize(rows.reshape(-1, rows.shape[-1])).reshape(rows.shape)


def _parts(count: int, size: int) -> Iterator[slice]:
    at_once = max(1, math.floor(_NUMBERS_AT_ONCE / max(1, size)))
    for start in range(0, count, at_once):
        yield slice(start, min(start + at_once, count))


_NUMBERS_AT_ONCE = 4_000_000
"""Held in memory."""
