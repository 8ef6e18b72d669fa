"""Episode accuracy: N-way K-shot episodes (Vinyals et al. 2016, https://arxiv.org/abs/1606.04080).

Each episode draws N classes, K labelled images of each as support set and others as queries, all
from images that the model was not trained on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from judging import settings
from judging.classifier import class_centroids
from judging.folded_view import AnyView
from judging.measurements import Measurements, with_intervals
from judging.statistics.intervals import effective_groups, sums
from judging.views import HeldOutImages

METRICS = ("episode_accuracy",)
"""Metrics of a model."""


def judge_episodes(
    images: HeldOutImages,
    views: Mapping[str, AnyView],
    asked: settings.Episodes,
    seed: int,
    measurements: Measurements,
) -> None:
    """Measure the accuracy in episodes.

    Args:
        images: The n images.
        views: The models' views of them.
        asked: Which episodes to draw.
        seed: Seed of the draw.
        measurements: Results are added to this object.
    """
    if images.folds is not None:
        why = "each fold has a model of its own, whose embeddings cannot be compared with others"
        measurements.skip(METRICS, why)
        return
    labels, groups = images.labels, images.groups
    drawn = draw_episodes(labels, asked.ways, asked.shots, asked.queries, asked.count, seed)
    drawn = drawn and drawn.without_group_mates(groups)
    if drawn is None or not (drawn.query >= 0).any():
        measurements.skip(
            METRICS,
            f"fewer than two classes have {asked.shots + 1} test images of different groups, which "
            f"{asked.shots}-shot episodes need",
        )
        return
    hits_of_models = [hits(view.embeddings, drawn) for view in views.values()]
    values, covariance = accuracy(hits_of_models, drawn, labels, groups)
    used = np.unique(np.append(drawn.query, drawn.support))
    used = groups[used[used >= 0]]
    measures = with_intervals(
        views, METRICS, values[:, None], covariance, len(used), len(np.unique(used)),
        least=effective_groups(used) / 2,
    )  # fmt: skip
    measurements.add_all(dict.fromkeys(views, METRICS), measures, covariance)


class Episodes(NamedTuple):
    """The images of e episodes of n classes.

    Attributes:
        support: int [e, n, k], indices of images, a row for each class.
        query: int [e, n, q]; -1 where a class has no more images.
    """

    support: np.ndarray
    query: np.ndarray

    @property
    def ways(self) -> int:
        """The number of classes in an episode."""
        return self.support.shape[1]

    def without_group_mates(self, groups: np.ndarray) -> Episodes:
        """Return the episodes without the queries that have an image of their group as support.

        Args:
            groups: int [n], the groups of all images.
        """
        mates = groups[self.query][..., :, None] == groups[self.support][..., None, :]
        return self._replace(query=np.where(mates.any(-1), -1, self.query))


def draw_episodes(
    labels: np.ndarray, ways: int, shots: int, queries: int, count: int, seed: int
) -> Episodes | None:
    """Draw episodes at random.

    Args:
        labels: [n], the images' classes.
        ways: N; fewer if fewer classes have enough images.
        shots: K.
        queries: At most, per class.
        count: Number of episodes.
        seed: Seed of the draw.

    Returns:
        None if fewer than two classes have more images than `shots`.
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
    size = min(shots + queries, table.shape[1])
    drawn = np.empty((count, ways, size), int)
    for part in _parts(count, ways * table.shape[1]):
        some = len(drawn[part])
        classes = np.argsort(rng.random((some, len(members)), "float32"), axis=1)[:, :ways]
        keys = rng.random((some, ways, table.shape[1]), "float32")
        keys[np.arange(table.shape[1]) >= sizes[classes][..., None]] = 2  # padding comes last
        order = np.argpartition(keys, size - 1, axis=2)[..., :size]
        order = np.take_along_axis(
            order, np.argsort(np.take_along_axis(keys, order, axis=2), axis=2), axis=2
        )
        drawn[part] = np.take_along_axis(table[classes], order, axis=2)
    return Episodes(drawn[..., :shots], drawn[..., shots:])


def hits(embeddings: np.ndarray, episodes: Episodes) -> np.ndarray:
    """Return which queries are classified correctly: bool [e, n, q], False without a query.

    Args:
        embeddings: float [n, d].
        episodes: Episodes of these images.
    """
    correct = np.zeros(episodes.query.shape, bool)
    (_, ways, shots), queries = episodes.support.shape, episodes.query.shape[2]
    support_labels, query_labels = (np.repeat(np.arange(ways), n) for n in (shots, queries))
    for part in _parts(len(correct), ways * (shots + queries) * embeddings.shape[1]):
        support, query = (
            embeddings[images[part]].reshape(-1, ways * images.shape[2], embeddings.shape[1])
            for images in episodes
        )
        distances = class_centroids(support, support_labels).distances(query)
        correct[part] = (distances.argmin(2) == query_labels).reshape(-1, ways, queries)
    return correct & (episodes.query >= 0)


class Accuracy(NamedTuple):
    """Accuracies of k models on the same episodes.

    Attributes:
        values: float64 [k], shares of the queries.
        covariance: float64 [k, k], over the images that the episodes were drawn from.
    """

    values: np.ndarray
    covariance: np.ndarray


def accuracy(
    correct: list[np.ndarray], episodes: Episodes, labels: np.ndarray, groups: np.ndarray
) -> Accuracy:
    """Return accuracies, and how they vary with the groups, as queries and as support.

    Images are in many episodes, so episodes are not independent. What counts is the influence of
    each image beside the others of its class: the variance of a U-statistic, by the infinitesimal
    jackknife (see `intervals`). Each half of the episodes gives every image's influence, and their
    product is free of the noise of having drawn just these episodes; that noise is added for the
    whole.

    Args:
        correct: The `hits` of each model.
        episodes: The episodes.
        labels: [n], the classes of all images that they were drawn from.
        groups: [n], their groups.
    """
    exists = episodes.query >= 0
    values = np.array([c[exists].mean() for c in correct])
    first = np.arange(len(exists)) < len(exists) // 2
    one, other = (
        sums(
            np.stack([_influence_of_images(c, episodes, half, labels, groups) for c in correct]),
            groups,
        )
        for half in (first, ~first)
    )
    by_groups = (one @ other.T + other @ one.T) / 2
    with_query = exists.any((1, 2))
    of_episodes = np.stack(
        [(c & exists)[with_query].sum((1, 2)) / exists[with_query].sum((1, 2)) for c in correct]
    )
    by_drawing = np.atleast_2d(np.cov(of_episodes)) / max(1, with_query.sum())
    np.fill_diagonal(by_groups, np.maximum(np.diag(by_groups), 0))
    return Accuracy(values, by_groups + by_drawing)


def _influence_of_images(
    correct: np.ndarray,
    episodes: Episodes,
    which: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
) -> np.ndarray:
    """Return each image's influence on the accuracy beyond its class's mean: float64 [n]."""
    query, support = episodes.query[which], episodes.support[which]
    exists = query >= 0
    cases, hit = query[exists], correct[which][exists]
    count = len(labels)
    drawn = np.maximum(np.bincount(cases, minlength=count), 1)
    own = np.bincount(cases, hit, count) / drawn
    as_query = np.bincount(cases, hit - hit.mean(), count) / len(cases)
    # A support image contributes to what its episode gets right beyond the mean of these queries.
    # The others of its class are drawn from the remaining ones, which hides some of it.
    beyond = np.zeros(exists.shape)
    beyond[exists] = (hit - own[cases]) / len(cases)
    whole = np.broadcast_to(beyond.sum((1, 2))[:, None, None], support.shape)
    as_support = np.bincount(support.ravel(), whole.ravel(), count)
    _, membership = np.unique(labels, return_inverse=True)
    sizes = np.bincount(membership)[membership]
    hidden = (sizes - 1) / np.maximum(sizes - support.shape[2], 1)
    influence = _centred(as_query, membership) + hidden * _centred(as_support, membership)
    of_class = np.unique(np.stack([membership, groups]), axis=1)[0]
    count = np.bincount(of_class)[membership]  # groups of the image's class
    return influence * np.sqrt(count / np.maximum(count - 1, 1))


def _centred(values: np.ndarray, membership: np.ndarray) -> np.ndarray:
    return values - (np.bincount(membership, values) / np.bincount(membership))[membership]


def _parts(count: int, size: int) -> Iterator[slice]:
    at_once = max(1, math.floor(_NUMBERS_AT_ONCE / max(1, size)))
    for start in range(0, count, at_once):
        yield slice(start, min(start + at_once, count))


_NUMBERS_AT_ONCE = 4_000_000
"""Numbers that are held in memory."""
