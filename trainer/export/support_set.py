"""Labelled images that the served model classifies by, as variables that others may be put into."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

MOST_NEAREST = 5
"""Support images that are named as evidence."""


class SupportSet(tf.Module):
    """Classifies embeddings by SimpleShot, as `judging.classifier.nearest_centroid` does.

    It is saved with its `replace`, so that classes can be added to an exported model without any
    code of ours; nothing but `replace` changes it.

    Args:
        embeddings: float [s, d], of the support images.
        labels: str [s], their classes.
        sources: bytes [s], what each is called; the file's path says most to people.

    Attributes:
        embeddings: Variable, float32 [s, d].
        labels: Variable, string [s], UTF-8.
        sources: Variable, string [s].
    """

    def __init__(
        self, embeddings: np.ndarray, labels: np.ndarray, sources: Sequence[bytes]
    ) -> None:
        super().__init__(name="support_set")
        size = embeddings.shape[1]
        self.embeddings = _variable(tf.float32, [None, size])
        self.labels = _variable(tf.string, [None])
        self.sources = _variable(tf.string, [None])
        # What `replace` makes of them, once and not for each query.
        self._centre = _variable(tf.float64, [size])
        self._classes = _variable(tf.string, [None])
        self._centroids = _Points(size)
        self._rows = _Points(size)
        # By class, as in NumPy: it decides which of two equal scores comes first.
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
        ]
    )
    def replace(self, embeddings: tf.Tensor, labels: tf.Tensor, sources: tf.Tensor) -> None:
        """Take other images in place of all that there are, in the graph.

        Classes are in the order in which they first occur, as `judging.classifier.class_centroids`
        has them where `labels` are sorted.

        Args:
            embeddings: float32 [s, d], as the signature `embed` gives them; one at least.
            labels: string [s], their classes.
            sources: string [s], what each is called.

        Raises:
            tf.errors.InvalidArgumentError: They are not equally many, none, or of another size.
        """
        count = tf.size(labels)
        checks = [
            tf.debugging.assert_positive(count),
            tf.debugging.assert_equal(tf.size(sources), count),
            tf.debugging.assert_equal(tf.shape(embeddings), [count, self.embeddings.shape[1]]),
        ]
        with tf.control_dependencies(checks):  # nothing is assigned before
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
        """Classes and evidence, in the graph.

        A class's score is 1 - d²/2, where d is the distance between the query, centred and of
        length one, and the class's centroid: their cosine, if the centroid is of length one too. So
        it is in [-1, 1], and the order of the scores is that of the distances.

        Args:
            embeddings: float [n, d].

        Returns:
            `classes`, string [n, c], best first; `scores`, float32 [n, c], theirs; `nearest`,
            string [n, k], what the nearest support images are called, nearest first, by the same
            distance; k is `MOST_NEAREST` at most.
        """
        # As exact as NumPy: a label must not depend on who computes it.
        query = _normalize(tf.cast(embeddings, tf.float64) - self._centre)
        distances = self._centroids.squared_distances(query)
        order = tf.argsort(distances, axis=1, stable=True)
        scores = tf.clip_by_value(1 - tf.gather(distances, order, batch_dims=1) / 2, -1, 1)
        # Values, not variables to gather from: those are never made constants by a server.
        names, sources = self._classes.read_value(), self.sources.read_value()
        most = tf.minimum(MOST_NEAREST, tf.size(sources))
        nearest = tf.math.top_k(-self._rows.squared_distances(query), most).indices
        return {
            "classes": tf.gather(names, order),
            "scores": tf.cast(scores, tf.float32),
            "nearest": tf.gather(sources, nearest),
        }


class _Points(tf.Module):
    """What queries are compared with, float64 [m, d]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._rows = _variable(tf.float64, [None, size])
        self._squares = _variable(tf.float64, [None])

    def assign(self, rows: tf.Tensor) -> None:
        self._rows.assign(rows)
        self._squares.assign(tf.reduce_sum(rows**2, axis=1))

    def squared_distances(self, query: tf.Tensor) -> tf.Tensor:
        """Float64 [n, m], of queries float64 [n, d]."""
        squares = tf.reduce_sum(query**2, axis=1)[:, None]
        products = tf.matmul(query, self._rows, transpose_b=True)
        return squares - 2 * products + self._squares[None]


def _variable(dtype: tf.DType, shape: list[int | None]) -> tf.Variable:
    """An empty variable, whose unknown dimensions may be any."""
    nothing = tf.zeros([size or 0 for size in shape], dtype)
    return tf.Variable(nothing, trainable=False, shape=tf.TensorShape(shape))


def _class_means(rows: tf.Tensor, classes: tf.Tensor, membership: tf.Tensor) -> tf.Tensor:
    return tf.math.unsorted_segment_mean(rows, membership, tf.size(classes))


def _normalize(rows: tf.Tensor) -> tf.Tensor:
    return rows / tf.maximum(tf.norm(rows, axis=1, keepdims=True), 1e-12)
