"""The Siamese network: one shared encoder, and a head that compares two embeddings.

Images are encoded once each and pairs are formed on the embeddings, so a block of m images
costs m encoder passes however many pairs it holds.
"""

from __future__ import annotations

import keras
from keras import ops

from trainer.network.augmentation import build_augmentation
from trainer.network.encoder import build_encoder
from trainer.network.losses.contrastive_margin import contrastive_margin
from trainer.network.losses.cosine_crossentropy import cosine_crossentropy
from trainer.network.losses.pair_crossentropy import pair_crossentropy
from trainer.network.losses.supervised_contrastive import supervised_contrastive
from trainer.network.losses.triplet_semi_hard import triplet_semi_hard
from trainer.settings import Model, Training


class Siamese(keras.Model):
    """Shared-weight Siamese model (Bromley et al. 1993; head as in Koch et al. 2015).

    It is trained by `fit` on pair blocks (see `trainer.training.input`): x is the pixels of the m
    images, y their classes and the p pairs as indices.

    Args:
        settings: The `model` section of the configuration.
        training: The `training` section.
        image_size: Height and width in pixels.
        replicas: Devices that share a step; gradients are summed over them.

    Raises:
        BackboneError: No such backbone, or it cannot take images of this size.
        WeightsError: The weights cannot be had or belong to another architecture.
    """

    def __init__(
        self, settings: Model, training: Training, image_size: int, replicas: int = 1
    ) -> None:
        super().__init__(name="siamese")
        self.settings = training
        self.replicas = replicas
        self.augmentation = build_augmentation(training.augmentation, training.seed)
        self.encoder = build_encoder(settings, image_size)
        self.head = keras.layers.Dense(1, activation="sigmoid", dtype="float32", name="head")
        self.head.build((None, self.encoder.output_shape[-1]))
        self.auc = keras.metrics.AUC(name="auc")
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.built = True

    def call(self, pixels, training: bool = False):
        """Pixels, uint8 or float [n, size, size, 3] (0 to 255), to embeddings float [n, d]."""
        pixels = ops.cast(pixels, "float32")
        if training:
            pixels = self.augmentation(pixels, training=True)
        if training and self.settings.encoding == "each_side":
            # All left images come first, then all right ones (`trainer.training.input`).
            left, right = ops.split(pixels, 2)
            sides = [self.encoder(side, training=True) for side in (left, right)]
            return ops.concatenate(sides, axis=0)
        return self.encoder(pixels, training=training)

    def similarity(self, left, right):
        """Embeddings float [n, d] of two sides to similarities float32 [n] in [0, 1]."""
        difference = ops.abs(ops.cast(left, "float32") - ops.cast(right, "float32"))
        return ops.squeeze(self.head(difference), axis=-1)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Loss of one pair block; `y` as in `trainer.training.input`, `y_pred` the embeddings."""
        if self.settings.loss == "binary_crossentropy":
            loss = pair_crossentropy(y["target"], self.pair_similarities(y, y_pred))
        else:
            # Gradients of the |L - R| head would distort what the other loss shapes.
            similarities = self.pair_similarities(y, ops.stop_gradient(y_pred))
            loss = self._embedding_loss(y, y_pred) + pair_crossentropy(
                y["target"], similarities, balanced=True
            )
        self.loss_mean.update_state(loss)
        return loss / self.replicas

    def _embedding_loss(self, y, embeddings):
        settings = self.settings
        if settings.loss == "supervised_contrastive":
            return supervised_contrastive(y["class"], embeddings, settings.temperature)
        if settings.loss == "triplet_semi_hard":
            return triplet_semi_hard(y["class"], embeddings, settings.margin)
        left, right = _sides(y, embeddings)
        if settings.loss == "contrastive_margin":
            return contrastive_margin(y["target"], left, right, settings.margin)
        return cosine_crossentropy(y["target"], left, right, settings.temperature, settings.margin)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """AUC of the pairs so far, and the mean loss."""
        self.auc.update_state(y["target"], self.pair_similarities(y, y_pred))
        return {"loss": self.loss_mean.result(), "auc": self.auc.result()}

    @property
    def metrics(self):
        """What `fit` resets before each epoch."""
        return [self.loss_mean, self.auc]

    def pair_similarities(self, y, embeddings):
        """Similarities float32 [p] of the pairs `left` and `right` in `y` of embeddings [m, d]."""
        return self.similarity(*_sides(y, embeddings))


def _sides(y, embeddings):
    return ops.take(embeddings, y["left"], axis=0), ops.take(embeddings, y["right"], axis=0)
