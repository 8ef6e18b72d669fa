"""Divides an embedding among the places of the feature maps that it was pooled from.

A product <embedding, direction>, such as a cosine, becomes a map whose mean it is. Pooling and
dense layers are linear: the value of a place is exactly its term of the sum (Zhu et al. 2021,
Visual Explanation for Deep Metric Learning, https://arxiv.org/abs/1909.12977). What is not linear
is passed on in proportion, as by the rescale rule of DeepLIFT (Shrikumar et al. 2017,
https://arxiv.org/abs/1704.02685): a length, an activation or a square root is a factor, which all
places share. So the mean is exact in any case. The part that is of no place (dense layers' biases,
and what square roots leave over where features have both signs) is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from trainer.network.encoder_parts import EncoderParts
from trainer.network.frozen_siamese import FrozenSiamese, view_of
from trainer.network.siamese import Siamese


class Encoded(NamedTuple):
    """What `trainer.network.encoder_parts.EncoderParts` makes of n images.

    Attributes:
        embedding: float32 [n, d], of length one.
        maps: float32 [n, rows, columns, c], of each view; empty if the encoder has none.
        kernels: float32 [a, b], of each dense layer.
        biases: float32 [b], of each dense layer.
    """

    embedding: tf.Tensor
    maps: list[tf.Tensor]
    kernels: list[tf.Tensor]
    biases: list[tf.Tensor]

    def rows(self, part: slice) -> Encoded:
        """Return some of the images."""
        return self._replace(embedding=self.embedding[part], maps=[m[part] for m in self.maps])


def encoding(
    model: Siamese | FrozenSiamese, parts: EncoderParts | None
) -> Callable[[tf.Tensor], Encoded]:
    """Return a function from pixels, float32 [n, height, width, 3], to all that is known of them.

    Args:
        model: The trained network.
        parts: Those of its encoder, if it has them.
    """
    network = parts.network if parts else model.encoder
    layers = parts.dense if parts else []

    def encode(pixels: tf.Tensor) -> Encoded:
        embedding, *maps = tf.nest.flatten(network(pixels, training=False))
        return Encoded(
            tf.cast(embedding, tf.float32),
            [tf.cast(each, tf.float32) for each in maps],
            [tf.convert_to_tensor(layer.kernel) for layer in layers],
            [tf.convert_to_tensor(layer.bias) for layer in layers],
        )

    return encode


class PlaceValues:
    """Divides embeddings among places.

    Args:
        parts: Of the encoder; only its structure is kept.
    """

    def __init__(self, parts: EncoderParts) -> None:
        self._pooling = _POOLINGS[parts.pooling]
        self._prepared = parts.prepared
        self._activations = [layer.activation.__name__ for layer in parts.dense]

    def __call__(self, encoded: Encoded, direction: tf.Tensor) -> tf.Tensor:
        """Return maps float32 [n, rows, columns], the mean of each <embedding, direction>.

        Args:
            encoded: Of n images.
            direction: float32 [n, d].
        """
        pooled = [self._pooling.pool(each) for each in encoded.maps]
        factors = [tf.ones_like(each) for each in pooled]
        if self._prepared:
            factors = [self._factors(each) for each in encoded.maps]
            vector, length = _mean_of_length_one([_power(each) for each in pooled])
            factors = [each / (len(factors) * length) for each in factors]
        else:
            [vector] = pooled
        gradient = self._gradient(encoded, vector, direction)
        terms = tf.add_n(
            [
                view_of(self._pooling.terms(each, gradient * factor)[..., None], view)[..., 0]
                for view, (each, factor) in enumerate(zip(encoded.maps, factors, strict=True))
            ]
        )
        places = tf.cast(tf.reduce_prod(tf.shape(terms)[1:]), tf.float32)
        value = tf.reduce_sum(encoded.embedding * direction, axis=1)
        rest = value - tf.reduce_sum(terms, axis=[1, 2])
        return terms * places + rest[:, None, None]

    def embedding(self, encoded: Encoded) -> tf.Tensor:
        """Return embeddings float32 [n, d] of maps, kernels and biases, as the encoder does."""
        pooled = [self._pooling.pool(each) for each in encoded.maps]
        if self._prepared:
            vector, _ = _mean_of_length_one([_power(each) for each in pooled])
        else:
            [vector] = pooled
        for kernel, bias, activation in zip(
            encoded.kernels, encoded.biases, self._activations, strict=True
        ):
            vector, _ = _ACTIVATIONS[activation](tf.matmul(vector, kernel) + bias)
        return vector / _length(vector)

    def _gradient(self, encoded: Encoded, vector: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """Return the factor of each pooled feature in <embedding, direction>, [n, D]."""
        slopes = []
        for kernel, bias, activation in zip(
            encoded.kernels, encoded.biases, self._activations, strict=True
        ):
            vector, slope = _ACTIVATIONS[activation](tf.matmul(vector, kernel) + bias)
            slopes.append(slope)
        gradient = direction / _length(vector)
        for kernel, slope in zip(reversed(encoded.kernels), reversed(slopes), strict=True):
            gradient = tf.matmul(gradient * slope, kernel, transpose_b=True)
        return gradient

    def _factors(self, features: tf.Tensor) -> tf.Tensor:
        """Return the factor by which pooled features become prepared ones of their view, [n, D].

        By the mean magnitude: a sum of large values of both signs that is nearly zero would have a
        factor without bounds. For features of one sign it is the same.
        """
        size = self._pooling.pool(tf.abs(features))
        length = _length(_power(self._pooling.pool(features)))
        return tf.math.divide_no_nan(tf.ones_like(size), tf.sqrt(size)) / length


def _power(features: tf.Tensor) -> tf.Tensor:
    return tf.sign(features) * tf.sqrt(tf.abs(features))


def _length(rows: tf.Tensor) -> tf.Tensor:
    return tf.maximum(tf.norm(rows, axis=1, keepdims=True), 1e-12)


def _mean_of_length_one(views: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the mean [n, D] of vectors, each of length one, and what it is divided by [n, 1]."""
    mean = tf.add_n([view / _length(view) for view in views]) / len(views)
    length = _length(mean) if len(views) > 1 else tf.ones_like(mean[:, :1])
    return mean / length, length


def _linear(sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return sums, tf.ones_like(sums)


def _relu(sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.nn.relu(sums), tf.cast(sums > 0, sums.dtype)


def _sigmoid(sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    values = tf.sigmoid(sums)
    return values, tf.where(tf.abs(sums) < 1e-4, 0.25, (values - 0.5) / sums)


_ACTIVATIONS: dict[str, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]] = {
    "linear": _linear,
    "relu": _relu,
    "sigmoid": _sigmoid,
}
"""Each: the value, and its share in proportion to the sum."""


class _Pooling(NamedTuple):
    """A pooling of maps [n, rows, columns, c] to vectors [n, D].

    Attributes:
        pool: From maps to vectors.
        terms: From maps and factors [n, D] of the vectors to the places' terms of the weighted sum,
            [n, rows, columns].
    """

    pool: Callable[[tf.Tensor], tf.Tensor]
    terms: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def _weighted(maps: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    return tf.einsum("nhwc,nc->nhw", maps, factors)


def _average_terms(maps: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    return _weighted(maps, factors) / tf.cast(tf.reduce_prod(tf.shape(maps)[1:3]), tf.float32)


def _maximum_terms(maps: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    is_maximum = tf.cast(maps == tf.reduce_max(maps, axis=[1, 2], keepdims=True), maps.dtype)
    winners = is_maximum / tf.reduce_sum(is_maximum, axis=[1, 2], keepdims=True)
    return _weighted(maps * winners, factors)


def _own_terms(maps: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(maps * tf.reshape(factors, tf.shape(maps)), axis=3)


_POOLINGS = {
    "avg": _Pooling(lambda maps: tf.reduce_mean(maps, axis=[1, 2]), _average_terms),
    "max": _Pooling(lambda maps: tf.reduce_max(maps, axis=[1, 2]), _maximum_terms),
    "flatten": _Pooling(
        lambda maps: tf.reshape(maps, [tf.shape(maps)[0], maps.shape[1:].num_elements()]),
        _own_terms,
    ),
}
