"""SimpleShot: classifies images by the nearest class centroid of a few labelled ones.

Embeddings are centred by the support set's mean and L2-normalized, Wang et al. 2019's CL2N
(https://arxiv.org/abs/1911.04623). `trainer.export.support_set` does the same in the served graph;
a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from records.scored_by import ScoredBy

MOST_NEIGHBOURS = 5
"""Nearest labelled images that an answer names as evidence."""

_IMAGES_AT_ONCE = 1024
_PIXEL_ROWS_AT_ONCE = 128
"""Rows that are compared at a time, which bounds the memory."""


class Support(NamedTuple):
    """Labelled images that others are classified by.

    Attributes:
        embeddings: float [s, d].
        labels: str [s], their classes.
        sources: str [s], their files.
        scored_by: What a class's score is made of.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    sources: np.ndarray
    scored_by: ScoredBy = "cosine"

    def only(self, images: np.ndarray) -> Support:
        """Return some of the images, bool or int [s]."""
        return self._replace(
            embeddings=self.embeddings[images],
            labels=self.labels[images],
            sources=self.sources[images],
        )


class ClassCentroids(NamedTuple):
    """What queries are compared with; embeddings may have leading dimensions, one per episode.

    Attributes:
        centre: float64 [..., d], the mean of the class means, so that large classes do not weigh
            more.
        classes: [c], sorted.
        centroids: float64 [..., c, d], each class's mean of centred and normalized embeddings.
    """

    centre: np.ndarray
    classes: np.ndarray
    centroids: np.ndarray

    def centred(self, embeddings: np.ndarray) -> np.ndarray:
        """Return embeddings [..., n, d] centred and of length one, as float64."""
        return normalize(embeddings.astype("float64") - self.centre[..., None, :])

    def distances(self, query: np.ndarray) -> np.ndarray:
        """Return squared distances float64 [..., q, c] of queries [..., q, d] to the centroids."""
        return squared_distances(self.centred(query), self.centroids)


def class_centroids(embeddings: np.ndarray, labels: np.ndarray) -> ClassCentroids:
    """Return the centroids of labelled embeddings float [..., s, d]; labels [s] are shared."""
    classes, membership = np.unique(labels, return_inverse=True)
    sizes = np.bincount(membership)[:, None]
    centre = (_class_sums(embeddings, membership) / sizes).mean(axis=-2)
    known = ClassCentroids(centre, classes, np.empty(0))
    return known._replace(centroids=_class_sums(known.centred(embeddings), membership) / sizes)


def nearest_centroid(
    support: np.ndarray, support_labels: np.ndarray, query: np.ndarray
) -> np.ndarray:
    """Return the class of the nearest centroid for each query.

    Args:
        support: float [s, d], embeddings.
        support_labels: [s], their classes.
        query: float [q, d].

    Returns:
        Labels [q].
    """
    known = class_centroids(support, support_labels)
    return known.classes[np.argmin(known.distances(query), axis=1)]


def few_shot_accuracy(
    support: np.ndarray, support_labels: np.ndarray, query: np.ndarray, query_labels: np.ndarray
) -> float:
    """Return the share of queries whose nearest class centroid is that of their own class.

    If the support set lacks classes of the queries, as where whole classes are held out, each query
    is compared with the centroids of the other queries.

    Args:
        support: float [s, d], embeddings.
        support_labels: [s], their classes.
        query: float [q, d].
        query_labels: [q].

    Returns:
        In [0, 1]; NaN if no query can be classified.
    """
    if len(query) == 0:
        return float("nan")
    if set(query_labels) <= set(support_labels):
        return float(np.mean(nearest_centroid(support, support_labels, query) == query_labels))
    hits = hits_by_each_other(query, query_labels, np.arange(len(query)))
    return float(np.mean(hits)) if len(hits) else float("nan")


def hits_by_each_other(
    embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Return which images `classify_by_each_other` classifies correctly, of those that count.

    Args:
        embeddings: float [n, d].
        labels: str [n], their classes.
        groups: int [n], their groups.

    Returns:
        bool [m], of the images whose class has another group.
    """
    parts = []
    for _, own, distances in _leave_group_out(embeddings, labels, groups):
        has_others = np.isfinite(distances[np.arange(len(own)), own])
        parts.append((distances.argmin(axis=1) == own)[has_others])
    return np.concatenate(parts)


def right_by_class(embeddings: np.ndarray, labels: np.ndarray) -> dict[str, tuple[int, int]]:
    """Return how many images the others classify correctly, each left out in turn, by class.

    Args:
        embeddings: float [n, d].
        labels: str [n], their classes.

    Returns:
        The number, and that of all images of the class; without classes of a single image.
    """
    hits = hits_by_each_other(embeddings, labels, np.arange(len(labels)))
    classes, counts = np.unique(labels, return_counts=True)
    counted = labels[np.isin(labels, classes[counts > 1])]
    own = [(str(label), counted == label) for label in classes[counts > 1]]
    return {label: (int(hits[of_it].sum()), int(of_it.sum())) for label, of_it in own}


class Classified(NamedTuple):
    """The classes that n images are given, with evidence.

    Attributes:
        label: str [n], the predicted class.
        score: float64 [n], its score (`class_scores`), as the served model's `classify` returns it.
        own_score: float64 [n], that of the image's own class; NaN if it has no support.
        margin: float64 [n], `score` less the second best class's, which is the same however classes
            are scored; NaN if there is one class.
        neighbours: int [n, k], indices of the nearest labelled images, nearest first.
        rival: int [n], index of the nearest labelled image of the predicted class.
    """

    label: np.ndarray
    score: np.ndarray
    own_score: np.ndarray
    margin: np.ndarray
    neighbours: np.ndarray
    rival: np.ndarray


def classify(support: Support, embeddings: np.ndarray, labels: np.ndarray) -> Classified:
    """Classify images by a support set that does not hold them.

    Args:
        support: The labelled images.
        embeddings: float [n, d].
        labels: str [n], the images' own classes.
    """
    known = class_centroids(support.embeddings, support.labels)
    rows = known.centred(support.embeddings)
    place = {label: i for i, label in enumerate(known.classes)}
    own = np.array([place.get(label, -1) for label in labels], int)
    most = min(MOST_NEIGHBOURS, len(rows))
    parts = []
    for part in _parts(len(embeddings), _IMAGES_AT_ONCE):
        query = known.centred(embeddings[part])
        distances, to_support = (squared_distances(query, x) for x in (known.centroids, rows))
        found = _classified(
            known.classes, distances, own[part], to_support, support.labels, most, support.scored_by
        )
        parts.append(found)
    return _joined(parts)


def classify_by_each_other(
    embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray, scored_by: ScoredBy = "cosine"
) -> Classified:
    """Classify each image by all images of other groups, if the classes have no support set.

    An image whose class has no other group has no `own_score` and should not be counted.

    Args:
        embeddings: float [n, d].
        labels: str [n], their classes.
        groups: int [n], their groups.
        scored_by: What a class's score is made of.
    """
    known = class_centroids(embeddings, labels)
    rows = known.centred(embeddings)
    most = min(MOST_NEIGHBOURS, len(rows) - 1)
    parts = []
    for part, own, distances in _leave_group_out(embeddings, labels, groups):
        to_support = squared_distances(rows[part], rows)
        to_support[groups[part][:, None] == groups] = np.inf
        parts.append(
            _classified(known.classes, distances, own, to_support, labels, most, scored_by)
        )
    return _joined(parts)


def cosines(distances: np.ndarray) -> np.ndarray:
    """Return 1 - d²/2 of squared distances, in [-1, 1]: a cosine, if both are of length one."""
    return np.clip(1 - distances / 2, -1, 1)


def with_margin(cosine: Any, margin: Any) -> Any:
    """Return the score of a class by margin, of arrays or tensors: (s + m / 2) / 2."""
    return (cosine + margin / 2) / 2


def class_scores(of_classes: np.ndarray, scored_by: ScoredBy) -> np.ndarray:
    """Return the scores of classes float64 [..., c], in [-1, 1] and in the order of their cosines.

    A score by `margin` is `with_margin`, where s is the cosine of the class, and its margin m is
    s less the best cosine of the other classes, or 0 if there are none. It is lower for what is
    similar to two classes. `judging.score_choice` chooses.

    Args:
        of_classes: float64 [..., c], the cosines of all classes.
        scored_by: `cosine`: the cosines themselves.
    """
    if scored_by == "cosine":
        return of_classes
    if of_classes.shape[-1] < 2:
        return of_classes / 2
    second, best = np.moveaxis(np.partition(of_classes, -2, axis=-1)[..., -2:, None], -2, 0)
    others = np.where(of_classes == best, second, best)
    return with_margin(of_classes, of_classes - others)


class BestScores(NamedTuple):
    """What n images' scores of their best class are made of.

    Attributes:
        cosine: float64 [n], the best class's cosine.
        margin: float64 [n], that less the second class's; 0 if there is one class.
    """

    cosine: np.ndarray
    margin: np.ndarray

    def by(self, scored_by: ScoredBy) -> np.ndarray:
        """Return the best class's scores, float64 [n], as `class_scores` does."""
        return self.cosine if scored_by == "cosine" else with_margin(self.cosine, self.margin)

    def only(self, images: np.ndarray) -> BestScores:
        """Return those of some of the images, bool or int [n]."""
        return BestScores(self.cosine[images], self.margin[images])


def best_scores(support: np.ndarray, labels: np.ndarray, query: np.ndarray) -> BestScores:
    """Return the best class's score of each query [q, d]."""
    of_classes = cosines(class_centroids(support, labels).distances(query))
    return BestScores(of_classes.max(axis=1), np.nan_to_num(_margins(of_classes)))


def nearest_neighbour(
    support: np.ndarray, support_labels: np.ndarray, query: np.ndarray
) -> np.ndarray:
    """Return the class of the nearest support image for each query [q, d], by Euclidean distance.

    For raw pixels: neither side is centred or normalized, nor held as floats as a whole.
    """

    def parts(rows: np.ndarray) -> Iterator[np.ndarray]:
        return (rows[part] for part in _parts(len(rows), _PIXEL_ROWS_AT_ONCE))

    nearest = [
        np.argmin(np.hstack([squared_distances(some, part) for part in parts(support)]), axis=1)
        for some in parts(query)
    ]
    return np.asarray(support_labels)[np.concatenate(nearest)]


def normalize(rows: np.ndarray) -> np.ndarray:
    """Return rows [..., d] scaled to length one; a row of zeros stays."""
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return squared distances float64 [..., n, m] of rows [..., n, d] to rows [..., m, d]."""
    one, other = one.astype("float64"), other.astype("float64")
    products = one @ np.swapaxes(other, -1, -2)
    return (one**2).sum(-1)[..., None] - 2 * products + (other**2).sum(-1)[..., None, :]


def _class_sums(rows: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """Return the sum of each class's rows [..., s, d]: float64 [..., c, d]."""
    order = np.argsort(membership, kind="stable")
    starts = np.flatnonzero(np.diff(membership[order], prepend=-1))
    return np.add.reduceat(rows[..., order, :].astype("float64"), starts, axis=-2)


def _leave_group_out(
    embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Compare images with the class centroids, each image's group left out of its own class's.

    Yields:
        For p images at a time: their slice; their class indices, int [p]; and squared distances
        float64 [p, c] to the centroids, infinite to a class that the image's group is alone in.
    """
    known = class_centroids(embeddings, labels)
    rows = known.centred(embeddings)
    membership = np.asarray(np.searchsorted(known.classes, labels))
    sizes, sums = np.bincount(membership), _class_sums(rows, membership)
    of_group = np.unique(np.stack([membership, groups]), axis=1, return_inverse=True)[1].ravel()
    sizes_of_group, sums_of_group = np.bincount(of_group), _class_sums(rows, of_group)
    for part in _parts(len(rows), _IMAGES_AT_ONCE):
        query, own = rows[part], membership[part]
        left_out = of_group[part]
        others = sizes[own] - sizes_of_group[left_out]
        centroids = (sums[own] - sums_of_group[left_out]) / np.maximum(others, 1)[:, None]
        distances = squared_distances(query, known.centroids)
        to_own = ((query - centroids) ** 2).sum(1)
        distances[np.arange(len(query)), own] = np.where(others > 0, to_own, np.inf)
        yield part, own, distances


def _classified(
    classes: np.ndarray,
    distances: np.ndarray,
    own: np.ndarray,
    to_support: np.ndarray,
    labels: np.ndarray,
    most: int,
    scored_by: ScoredBy,
) -> Classified:
    """Return the answers for p images.

    Args:
        classes: str [c].
        distances: float64 [p, c], squared, to their centroids; infinite: the class is empty.
        own: int [p], the class indices of the images; -1 if the class is none of `classes`.
        to_support: float64 [p, s], squared distances to the support images.
        labels: str [s], the support images' classes.
        most: Neighbours to return.
        scored_by: What a class's score is made of.
    """
    each = np.arange(len(distances))
    best = np.argmin(distances, axis=1)
    of_classes = cosines(distances)
    all_scores = class_scores(of_classes, scored_by)
    has_support = (own >= 0) & np.isfinite(distances[each, own])
    return Classified(
        classes[best],
        all_scores[each, best],
        np.where(has_support, all_scores[each, own], np.nan),
        _margins(of_classes),
        np.argsort(to_support, axis=1, kind="stable")[:, :most],
        np.argmin(np.where(labels == classes[best][:, None], to_support, np.inf), axis=1),
    )


def _margins(all_scores: np.ndarray) -> np.ndarray:
    """Return the best score of each row, float64 [n, c], less the second."""
    if all_scores.shape[1] < 2:
        return np.full(len(all_scores), np.nan)
    best = np.partition(all_scores, -2, axis=1)[:, -2:]
    return best[:, 1] - best[:, 0]


def _joined(parts: list[Classified]) -> Classified:
    return Classified(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _parts(count: int, size: int) -> Iterator[slice]:
    for start in range(0, max(1, count), size):
        yield slice(start, min(start + size, count))
