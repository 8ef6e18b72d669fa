"""Exports the encoder as it was before training: a reference method that training has to beat.

The Judge evaluates it, and the raw pixels that it returns, on the same test images.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from trainer.export.constants import to_constants
from trainer.export.safe_pixels import safe_pixels
from trainer.settings import Size, pixel_shape
from trainer.training.images import Images
from trainer.training.snapshot import pooled_features

FOLDER = "pretrained_encoder"
"""Name of the SavedModel's folder in the Trainer's `model_run`."""


class PretrainedEncoder(tf.Module):
    """Maps encoded images to features and pixels; preprocessing is included.

    Signature `embed`: `image` string [n] to `embedding` float32 [n, d], `pixels` uint8
    [n, height, width, 3], and `valid` bool [n] as in `trainer.export.signatures.ServedModel`.

    Args:
        backbone: With the weights from before training.
        preprocess, image_size, max_pixels: As in `ServedModel`.
        features: float32 [s, d], of the support images.
        support: The support images.

    Attributes:
        support: The variables `embeddings`, `labels` and `sources` of the support images, as in
            the served model, `pixels` uint8 [s, height, width, 3] and `folds` int64 [s].
    """

    def __init__(
        self,
        backbone: keras.Model,
        preprocess: Callable[[tf.Tensor], tf.Tensor],
        image_size: Size,
        max_pixels: int,
        features: np.ndarray,
        support: Images,
    ) -> None:
        super().__init__(name="pretrained_encoder")
        spec = tf.TensorSpec([None, *pixel_shape(image_size)], tf.float32)
        self._features = to_constants(pooled_features(backbone), backbone.weights, spec)
        self._variables = self._features.variables
        self._preprocess = preprocess
        self._image_size, self._max_pixels = image_size, max_pixels
        self.support = tf.Module(name="support")
        for name, values in (
            ("embeddings", features),
            ("labels", [label.encode() for label in support.labels.tolist()]),
            ("sources", support.sources),
            ("pixels", support.pixels),
            ("folds", support.folds),
        ):
            setattr(self.support, name, tf.Variable(values, trainable=False))

    def save(self, directory: str) -> None:
        """Write the SavedModel into `directory`."""
        tf.saved_model.save(self, directory, signatures={"embed": self.embed})

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def embed(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `embed` signature."""
        pixels, valid, _ = safe_pixels(image, self._preprocess, self._image_size, self._max_pixels)
        embedding = self._features(tf.cast(pixels, tf.float32))
        return {"embedding": embedding, "pixels": pixels, "valid": valid}
