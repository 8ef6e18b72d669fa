"""Labelled images that the served model classifies by, as constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from trainer.few_shot import class_centroids, normalize

MOST_NEAREST = 5
"""Support images that are named as evidence."""


class SupportSet:
    """Classifies embeddings by SimpleShot, as `trainer.few_shot.nearest_centroid` does.

    Args:
        embeddings: float [s, d], of the support images.
        labels: str [s], their classes.
        sources: bytes [s], what each is called; the file's path says most to people.
    """

    def __init__(
        self, embeddings: np.ndarray, labels: np.ndarray, sources: Sequence[bytes]
    ) -> None:
        self._known = class_centroids(embeddings, labels)
        self._rows = normalize(embeddings - self._known.centre)
        self._sources = list(sources)

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
        query = tf.cast(embeddings, tf.float64) - self._known.centre
        query /= tf.maximum(tf.norm(query, axis=1, keepdims=True), 1e-12)
        distances = _squared_distances(query, self._known.centroids)
        order = tf.argsort(distances, axis=1, stable=True)
        scores = tf.clip_by_value(1 - tf.gather(distances, order, batch_dims=1) / 2, -1, 1)
        most = min(MOST_NEAREST, len(self._sources))
        nearest = tf.math.top_k(-_squared_distances(query, self._rows), most).indices
        return {
            "classes": tf.gather([c.encode() for c in self._known.classes.tolist()], order),
            "scores": tf.cast(scores, tf.float32),
            "nearest": tf.gather(self._sources, nearest),
        }


def _squared_distances(one: tf.Tensor, other: np.ndarray) -> tf.Tensor:
    squares = tf.reduce_sum(one**2, axis=1)[:, None]
    return squares - 2 * one @ other.T + (other**2).sum(1)[None]
