"""The Siamese network: one shared encoder, and a similarity of two embeddings.

Each image is encoded once and pairs are formed on the embeddings, so a block of m images costs m
encoder passes however many pairs it holds.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from trainer.network.augmentation import build_augmentation
from trainer.network.calibrated_cosine import CalibratedCosine, calibrate_cosine
from trainer.network.encoder import build_encoder
from trainer.network.losses.contrastive_margin import contrastive_margin
from trainer.network.losses.cosine_crossentropy import cosine_crossentropy
from trainer.network.losses.pair_crossentropy import pair_crossentropy
from trainer.network.losses.supervised_contrastive import supervised_contrastive
from trainer.network.losses.triplet_semi_hard import triplet_semi_hard
from trainer.settings import ONE_TILE, Model, Tiles, Training


class Siamese(keras.Model):
    """Shared-weight Siamese model (Bromley et al. 1993).

    Embeddings of length one are compared by their calibrated cosine; with the 2019 article's loss,
    and with embeddings of any length, by a dense layer on |left - right| (Koch et al. 2015).

    `fit` trains it on pair blocks (`trainer.training.input`): x is the pixels of the m images, y
    their classes and the p pairs as indices.

    Args:
        settings: The `model` section of the configuration.
        training: The `training` section.
        image_size: Height and width in pixels, of a tile if there are several.
        seed: For the augmentation.
        replicas: Devices that share a step; their gradients are summed.
        tiles: Of each image.

    Raises:
        BackboneError, WeightsError: See `trainer.network.backbone.build_backbone`.
    """

    def __init__(
        self,
        settings: Model,
        training: Training,
        image_size: int,
        seed: int = 0,
        replicas: int = 1,
        tiles: Tiles = ONE_TILE,
    ) -> None:
        super().__init__(name="siamese")
        self.settings = training
        self.replicas = replicas
        self.augmentation = build_augmentation(training.augmentation, seed)
        self.encoder = build_encoder(settings, image_size, tiles)
        self.cosine = CalibratedCosine()
        self.head: Any = None
        if training.loss == "binary_crossentropy" or not settings.article.normalize:
            self.head = keras.layers.Dense(1, dtype="float32", name="head")
            self.head.build((None, self.encoder.output_shape[-1]))
        self.auc = keras.metrics.AUC(name="auc")
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.built = True

    def call(self, pixels, training: bool = False):
        """Return embeddings float [n, d] of pixels [n, height, width, 3] (0 to 255)."""
        pixels = ops.cast(pixels, "float32")
        if training:
            pixels = self.augmentation(pixels, training=True)
        if training and self.settings.article.two_passes:
            # All left images come first, then all right ones (`trainer.training.input`).
            left, right = ops.split(pixels, 2)
            sides = [self.encoder(side, training=True) for side in (left, right)]
            return ops.concatenate(sides, axis=0)
        return self.encoder(pixels, training=training)

    def similarity(self, left, right):
        """Return similarities float32 [n] in [0, 1] of embeddings float [n, d] of two sides."""
        return ops.sigmoid(self._logits(left, right)) if self.head else self.cosine(left, right)

    def calibrate(self, left, right, same: np.ndarray) -> None:
        """Fit the similarity to validation pairs, unless a head was trained to compare.

        Args:
            left: float [p, d], embeddings of one side.
            right: float [p, d], of the other.
            same: bool [p], whether both images are of one class.
        """
        if self.head is None:
            self.cosine = calibrate_cosine(np.sum(left * right, axis=-1), same)

    def _logits(self, left, right):
        difference = ops.abs(ops.cast(left, "float32") - ops.cast(right, "float32"))
        return ops.squeeze(self.head(difference), axis=-1)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the loss of one pair block; `y_pred` are the embeddings of its images."""
        left, right = _sides(y, y_pred)
        if self.settings.loss == "binary_crossentropy":
            loss = pair_crossentropy(y["target"], self._logits(left, right))
        else:
            loss = self._embedding_loss(y, y_pred, left, right)
        if self.head and self.settings.loss != "binary_crossentropy":
            # Gradients of the |L - R| head would distort the embedding that the loss shapes.
            logits = self._logits(ops.stop_gradient(left), ops.stop_gradient(right))
            loss += pair_crossentropy(y["target"], logits, balanced=True)
        self.loss_mean.update_state(loss)
        return loss / self.replicas

    def _embedding_loss(self, y, embeddings, left, right):
        settings = self.settings
        match settings.loss:
            case "supervised_contrastive":
                return supervised_contrastive(y["class"], embeddings, settings.temperature)
            case "triplet_semi_hard":
                return triplet_semi_hard(y["class"], embeddings, settings.triplet_margin)
            case "contrastive_margin":
                return contrastive_margin(y["target"], left, right, settings.distance_margin)
            case "cosine_crossentropy":
                return cosine_crossentropy(
                    y["target"], left, right, settings.temperature, settings.even_cosine
                )
        raise NotImplementedError(f"training.loss {settings.loss!r} has no case here")

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Return the mean loss and the AUC of the pairs since the epoch began."""
        self.auc.update_state(y["target"], self.similarity(*_sides(y, y_pred)))
        return {"loss": self.loss_mean.result(), "auc": self.auc.result()}

    @property
    def metrics(self):
        """Metrics that `fit` resets before each epoch."""
        return [self.loss_mean, self.auc]


def _sides(y, embeddings):
    return ops.take(embeddings, y["left"], axis=0), ops.take(embeddings, y["right"], axis=0)
