"""The Siamese network of a frozen backbone and a linear head that was fitted on its features."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from trainer.network.backbone import pool
from trainer.network.calibrated_cosine import CalibratedCosine
from trainer.settings import Model


class FrozenSiamese:
    """Compares images by the calibrated cosine of their embeddings.

    Args:
        backbone: Layer `backbone` of the encoder; shared by both sides.
        settings: The `model` section, for the pooling.
        views: Views of an image whose features are averaged: 1, 2 or 4.
        matrix: float [d, d], of the head (`trainer.recipe.heads`).
        offset: float [d].
        similarity: From embeddings of two sides to similarities in [0, 1].

    Attributes:
        encoder: Keras model from float32 [n, height, width, 3] (RGB, 0 to 255) to L2-normalized
            embeddings float32 [n, d].
        views: As in the arguments.
    """

    def __init__(
        self,
        backbone: keras.Model,
        settings: Model,
        views: int,
        matrix: np.ndarray,
        offset: np.ndarray,
        similarity: CalibratedCosine,
    ) -> None:
        pixels = keras.Input(backbone.input_shape[1:], name="pixels")
        features = [
            _prepared(pool(backbone(view_of(pixels, view)), settings, view))
            for view in range(views)
        ]
        mean = _unit()(keras.layers.average(features)) if views > 1 else features[0]
        head = keras.layers.Dense(matrix.shape[1], dtype="float32", name="embedding")
        embedding = keras.layers.UnitNormalization(name="normalized", dtype="float32")(head(mean))
        head.set_weights([matrix.astype("float32"), offset.astype("float32")])
        self.encoder = keras.Model(pixels, embedding, name="encoder")
        self.similarity = similarity
        self.views = views

    def count_params(self) -> int:
        """Return the number of weights."""
        return int(self.encoder.count_params())


def view_of(pixels, view: int):
    """Return a view of images [n, height, width, 3]: 0 to 3, mirrored (odd) and upside down."""
    if view & 1:
        pixels = pixels[:, :, ::-1]
    return pixels[:, ::-1] if view & 2 else pixels


def _prepared(features):
    """As `trainer.recipe.heads.prepare`."""
    features = ops.cast(features, "float32")
    return _unit()(ops.sign(features) * ops.sqrt(ops.abs(features)))


def _unit() -> keras.layers.Layer:
    return keras.layers.UnitNormalization(dtype="float32")
