"""Exports the encoder as it was before training: what a training of ours has to beat.

It is judged beside the trained model on the same test images, and with it the images' bare pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer.export.constants import freeze
from trainer.export.safe_pixels import safe_pixels
from trainer.training.images import Images

FOLDER = "frozen_encoder"
"""Of the SavedModel, in the Trainer's `model_run`."""

_WEIGHTS, _SUPPORT = "frozen.weights.h5", "frozen_support.npy"


class Frozen(NamedTuple):
    """An encoder as it was before training.

    Attributes:
        weights: File of its backbone's weights.
        support: float32 [s, d], its features of the support images.
    """

    weights: Path
    support: np.ndarray


def keep(backbone: keras.Model, support: np.ndarray, folder: Path) -> None:
    """Keep an encoder before it is trained.

    Args:
        backbone: Whose weights are kept.
        support: float32 [s, d], its features of the support images.
        folder: A local folder.
    """
    backbone.save_weights(folder / _WEIGHTS)
    np.save(folder / _SUPPORT, support)


def kept(folder: Path) -> Frozen:
    """What `keep` has kept."""
    return Frozen(folder / _WEIGHTS, np.load(folder / _SUPPORT))


def pooled_features(backbone: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """From pixels [n, size, size, 3] to the backbone's features, pooled: float32 [n, d]."""

    @tf.function(reduce_retracing=True)
    def features(pixels: tf.Tensor) -> tf.Tensor:
        values = tf.cast(backbone(tf.cast(pixels, tf.float32), training=False), tf.float32)
        return tf.reduce_mean(values, axis=[1, 2]) if len(values.shape) == 4 else values

    return features


class FrozenEncoder(tf.Module):
    """Image bytes in, features and pixels out; preprocessing is inside.

    Signature `embed`: `image` string [n] to `embedding` float32 [n, d], `pixels` uint8 [n, size,
    size, 3], and `valid` bool [n], as `trainer.export.signatures.ServedModel` has it.

    Args:
        backbone: With the weights that it had before training.
        preprocess: Encoded images, string [n], to serialized pixels, string [n]: Transform's graph.
        image_size: Height and width in pixels.
        max_pixels: Height times width of the largest image that is decoded.
        features: float32 [s, d], of the support images.
        support: The support images.
        tracked: Whatever `preprocess` needs to be saved with it.

    Attributes:
        support: The variables `embeddings`, `labels` and `sources` of the support images, as the
            served model has them, and `pixels` uint8 [s, size, size, 3].
    """

    def __init__(
        self,
        backbone: keras.Model,
        preprocess: Callable[[tf.Tensor], tf.Tensor],
        image_size: int,
        max_pixels: int,
        features: np.ndarray,
        support: Images,
        tracked: object = None,
    ) -> None:
        super().__init__(name="frozen_encoder")
        spec = tf.TensorSpec([None, image_size, image_size, 3], tf.float32)
        self._features = freeze(pooled_features(backbone), spec)
        self._variables = self._features.variables
        self._preprocess = preprocess
        self._image_size, self._max_pixels = image_size, max_pixels
        self._tracked = tracked
        self.support = _Support(features, support)

    def save(self, directory: str) -> None:
        """Write the SavedModel into `directory`."""
        embed = self.embed.get_concrete_function(tf.TensorSpec([None], tf.string))
        tf.saved_model.save(self, directory, signatures={"embed": embed})

    @tf.function
    def embed(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `embed` signature."""
        pixels, valid = safe_pixels(image, self._preprocess, self._image_size, self._max_pixels)
        embedding = self._features(tf.cast(pixels, tf.float32))
        return {"embedding": embedding, "pixels": pixels, "valid": valid}


class _Support(tf.Module):
    def __init__(self, features: np.ndarray, images: Images) -> None:
        super().__init__(name="support")
        self.embeddings = _variable(features)
        self.labels = _variable([label.encode() for label in images.labels.tolist()])
        self.sources = _variable(images.sources)
        self.pixels = _variable(images.pixels)


def _variable(values: np.ndarray | Sequence[bytes]) -> tf.Variable:
    return tf.Variable(values, trainable=False)
