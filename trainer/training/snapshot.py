"""Saves the backbone as it was before training, for the comparison with the trained model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

_WEIGHTS, _FEATURES = "pretrained.weights.h5", "pretrained_features.npy"


class Snapshot(NamedTuple):
    """The backbone before training.

    Attributes:
        weights: File with its weights.
        features: float32 [s, d], its pooled features of the support images.
    """

    weights: Path
    features: np.ndarray


def save_snapshot(backbone: keras.Model, features: np.ndarray, folder: Path) -> None:
    """Save the weights of `backbone` and its features, float32 [s, d], to a local folder."""
    backbone.save_weights(folder / _WEIGHTS)
    np.save(folder / _FEATURES, features)


def load_snapshot(folder: Path) -> Snapshot:
    """Return what `save_snapshot` saved in `folder`."""
    return Snapshot(folder / _WEIGHTS, np.load(folder / _FEATURES))


def pooled_features(backbone: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function from pixels [n, size, size, 3] to pooled features float32 [n, d]."""

    @tf.function(reduce_retracing=True)
    def features(pixels: tf.Tensor) -> tf.Tensor:
        values = tf.cast(backbone(tf.cast(pixels, tf.float32), training=False), tf.float32)
        return tf.reduce_mean(values, axis=[1, 2]) if len(values.shape) == 4 else values

    return features
