"""Features of all training images, each encoded once per view by the frozen backbone."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from trainer.network.backbone import pool
from trainer.network.frozen_siamese import view_of
from trainer.settings import Model

VIEWS = (1, 2, 4)
"""Numbers of views: the image; with its mirror image; with both upside down."""

_BATCH = 32


class CachedFeatures:
    """Features of images, encoded when they are first asked for.

    Args:
        backbone: The frozen network.
        settings: The `model` section, for its pooling.
        pixels: uint8 [n, height, width, 3].
    """

    def __init__(self, backbone: keras.Model, settings: Model, pixels: np.ndarray) -> None:
        self._encode = _encoder(backbone, settings)
        self._pixels = pixels
        self._views: list[np.ndarray] = []

    def of_views(self, count: int) -> np.ndarray:
        """Return features float32 [n, v, d] of the first v views."""
        while len(self._views) < count:
            view = len(self._views)
            parts = [
                self._encode(view_of(self._pixels[i : i + _BATCH], view)).numpy()
                for i in range(0, len(self._pixels), _BATCH)
            ]
            self._views.append(np.concatenate(parts))
        return np.stack(self._views[:count], axis=1)


def _encoder(backbone: keras.Model, settings: Model) -> Callable[..., tf.Tensor]:
    @tf.function(reduce_retracing=True)
    def encode(pixels: tf.Tensor) -> tf.Tensor:
        features = backbone(tf.cast(pixels, tf.float32), training=False)
        return tf.cast(pool(features, settings), tf.float32)

    return encode
