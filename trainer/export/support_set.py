"""The support set of the served model: labelled images as variables, which can be replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from judging.classifier import with_margin
from records.scored_by import ScoredBy

MOST_NEAREST = 5
"""Number of nearest support images that are returned as evidence."""


class Toward(NamedTuple):
    """The score of a class for each of n embeddings: <embedding, direction> + offset.

    Attributes:
        direction: float32 [n, d].
        offset: float32 [n].
        label: string [n], the class.
    """

    direction: tf.Tensor
    offset: tf.Tensor
    label: tf.Tensor


class SupportSet(tf.Module):
    """Classifies embeddings by SimpleShot, as `judging.classifier.nearest_centroid` does.

    `replace` is saved with it, so that classes can be added to an exported model without this code.

    Args:
        embeddings: float [s, d], of the support images.
        labels: str [s], their classes.
        sources: bytes [s], their names, such as the files' paths.
        scored_by: What the score of a class is made of, which does not change afterwards.

    Attributes:
        embeddings: Variable, float32 [s, d].
        labels: Variable, string [s], UTF-8.
        sources: Variable, string [s].
        scored_by: Variable, string [], for those who load the model: the graph is made for it.
    """

    def __init__(
        self,
        embeddings: np.ndarray,
        labels: np.ndarray,
        sources: Sequence[bytes],
        scored_by: ScoredBy = "cosine",
    ) -> None:
        super().__init__(name="support_set")
        size = embeddings.shape[1]
        self.embeddings = _variable(tf.float32, [None, size])
        self.labels = _variable(tf.string, [None])
        self.sources = _variable(tf.string, [None])
        self.scored_by = tf.Variable(scored_by, trainable=False)
        self._by_margin = scored_by == "margin"
        # Computed by `replace` once, not for each query.
        self._centre = _variable(tf.float64, [size])
        self._classes = _variable(tf.string, [None])
        self._centroids = _Points(size)
        self._rows = _Points(size)
        # Sorted by class, as in NumPy: the order breaks ties of scores.
        order = np.argsort(labels, kind="stable")
        self.replace(
            tf.constant(embeddings[order], tf.float32),
            tf.constant([str(label).encode() for label in labels[order]], tf.string),
            tf.constant([sources[i] for i in order], tf.string),
        )

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.float32, name="embeddings"),
            tf.TensorSpec([None], tf.string, name="labels"),
            tf.TensorSpec([None], tf.string, name="sources"),
        ],
        autograph=False,
    )
    def replace(self, embeddings: tf.Tensor, labels: tf.Tensor, sources: tf.Tensor) -> None:
        """Replace all support images, in the graph.

        Classes are in the order of their first occurrence, as in
        `judging.classifier.class_centroids` if `labels` are sorted.

        Args:
            embeddings: float32 [s, d], from the signature `embed`; at least one.
            labels: string [s], their classes.
            sources: string [s], their names.

        Raises:
            tf.errors.InvalidArgumentError: The lengths differ, are 0, or d is another one.
        """
        count = tf.size(labels)
        checks = [
            tf.debugging.assert_positive(count),
            tf.debugging.assert_equal(tf.size(sources), count),
            tf.debugging.assert_equal(tf.shape(embeddings), [count, self.embeddings.shape[1]]),
        ]
        with tf.control_dependencies(checks):  # before any assignment
            classes, membership = tf.unique(labels)
            rows = tf.cast(embeddings, tf.float64)
            centre = tf.reduce_mean(_class_means(rows, classes, membership), axis=0)
            rows = _normalize(rows - centre)
            self.embeddings.assign(embeddings)
            self.labels.assign(labels)
            self.sources.assign(sources)
            self._centre.assign(centre)
            self._classes.assign(classes)
            self._centroids.assign(_class_means(rows, classes, membership))
            self._rows.assign(rows)

    def classify(self, embeddings: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return classes and evidence, in the graph.

        A class's cosine is 1 - d²/2, where d is the distance from the centred, normalized query to
        the class's centroid; if the centroid is normalized too, it is theirs. A class's score is
        made of the cosines by `judging.classifier.class_scores`. It is in [-1, 1], and its order is
        that of the distances.

        Args:
            embeddings: float [n, d].

        Returns:
            `classes`, string [n, c], best first; `scores`, float32 [n, c], in the same order;
            `nearest`, string [n, k], names of the nearest support images by the same distance,
            nearest first; k is at most `MOST_NEAREST`.
        """
        # In float64 as in NumPy, so that both give the same label.
        query = _normalize(tf.cast(embeddings, tf.float64) - self._centre)
        distances = self._centroids.squared_distances(query)
        order = tf.argsort(distances, axis=1, stable=True)
        cosines = tf.clip_by_value(1 - tf.gather(distances, order, batch_dims=1) / 2, -1, 1)
        scores = self._by_margins(cosines) if self._by_margin else cosines
        # Values, since servers cannot turn variables that are gathered from into constants.
        names, sources = self._classes.read_value(), self.sources.read_value()
        most = tf.minimum(MOST_NEAREST, tf.size(sources))
        nearest = tf.math.top_k(-self._rows.squared_distances(query), most).indices
        return {
            "classes": tf.gather(names, order),
            "scores": tf.cast(scores, tf.float32),
            "nearest": tf.gather(sources, nearest),
        }

    @staticmethod
    def _by_margins(cosines: tf.Tensor) -> tf.Tensor:
        """Return the scores float64 [n, c] of cosines in descending order."""
        count = tf.shape(cosines)[1]
        second = tf.gather(cosines, tf.minimum(1, count - 1), axis=1)  # of one class itself
        rivals = tf.where(tf.range(count) == 0, second[:, None], cosines[:, :1])
        return with_margin(cosines, cosines - rivals)

    def toward(self, embeddings: tf.Tensor, label: tf.Tensor) -> Toward:
        """Return how the score of a class is made of an embedding, in the graph.

        The length of the centred embedding is taken as given, and so is which class comes first or
        second.

        Args:
            embeddings: float [n, d].
            label: string [n], classes; empty: the image's best one. NaN for what is no class.
        """
        centred = tf.cast(embeddings, tf.float64) - self._centre
        lengths = tf.maximum(tf.norm(centred, axis=1), 1e-12)
        distances = self._centroids.squared_distances(centred / lengths[:, None])
        best = tf.argmin(distances, axis=1)
        names = self._classes.read_value()
        named = tf.cast(names[None] == label[:, None], tf.float64)
        place = tf.where(label == "", best, tf.argmax(named, axis=1))
        is_class = (label == "") | (tf.reduce_max(named, axis=1) > 0)
        direction, offset = self._cosine_toward(place, lengths)
        if self._by_margin:
            own = tf.one_hot(place, tf.size(names), True, False)
            rival = tf.argmin(tf.where(own, tf.constant(np.inf, tf.float64), distances), axis=1)
            of_rival = self._cosine_toward(rival, lengths)
            direction, offset = (
                with_margin(x, x - y) for x, y in zip((direction, offset), of_rival, strict=True)
            )
        return Toward(
            tf.cast(direction, tf.float32),
            tf.cast(tf.where(is_class, offset, float("nan")), tf.float32),
            tf.where(is_class, tf.gather(names, place), label),
        )

    def _cosine_toward(self, place: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return direction float64 [n, d] and offset float64 [n] of classes' cosines.

        Args:
            place: int [n], the classes.
            lengths: float64 [n], of the centred embeddings.
        """
        centroids = self._centroids.at(place)
        direction = centroids / lengths[:, None]
        squares = tf.reduce_sum(centroids**2, axis=1)
        return direction, (1 - squares) / 2 - tf.reduce_sum(self._centre * direction, axis=1)


class _Points(tf.Module):
    """Points float64 [m, d] that queries are compared with."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._rows = _variable(tf.float64, [None, size])
        self._squares = _variable(tf.float64, [None])

    def assign(self, rows: tf.Tensor) -> None:
        self._rows.assign(rows)
        self._squares.assign(tf.reduce_sum(rows**2, axis=1))

    def at(self, places: tf.Tensor) -> tf.Tensor:
        """Return rows float64 [n, d]."""
        return tf.gather(self._rows.read_value(), places)

    def squared_distances(self, query: tf.Tensor) -> tf.Tensor:
        """Return float64 [n, m] for queries float64 [n, d]."""
        squares = tf.reduce_sum(query**2, axis=1)[:, None]
        products = tf.matmul(query, self._rows, transpose_b=True)
        return squares - 2 * products + self._squares[None]


def _variable(dtype: tf.DType, shape: list[int | None]) -> tf.Variable:
    """An empty variable, whose unknown dimensions may have any size."""
    nothing = tf.zeros([size or 0 for size in shape], dtype)
    return tf.Variable(nothing, trainable=False, shape=tf.TensorShape(shape))


def _class_means(rows: tf.Tensor, classes: tf.Tensor, membership: tf.Tensor) -> tf.Tensor:
    return tf.math.unsorted_segment_mean(rows, membership, tf.size(classes))


def _normalize(rows: tf.Tensor) -> tf.Tensor:
    return rows / tf.maximum(tf.norm(rows, axis=1, keepdims=True), 1e-12)
