"""The Siamese network: one shared encoder, and a head that compares two embeddings.

Images are encoded once each and pairs are formed on the embeddings, so a block of m images
costs m encoder passes however many pairs it holds.
"""

from __future__ import annotations

import keras
from keras import ops

from trainer.augmentation import build_augmentation
from trainer.encoder import build_encoder
from trainer.losses.pair_crossentropy import pair_crossentropy
from trainer.losses.supervised_contrastive import supervised_contrastive
from trainer.settings import Model, Training


class Siamese(keras.Model):
    """Shared-weight Siamese model (Bromley et al. 1993; head as in Koch et al. 2015).

    It is trained by `fit` on pair blocks (see `trainer.input`): x is the pixels of the m images,
    y their classes and the p pairs as indices.

    Args:
        settings: The `model` section of the configuration.
        training: The `training` section.
        image_size: Height and width in pixels.

    Raises:
        BackboneError: No such backbone, or it cannot take images of this size.
        WeightsError: The weights cannot be had or belong to another architecture.
    """

    def __init__(self, settings: Model, training: Training, image_size: int) -> None:
        super().__init__(name="siamese")
        self.settings = training
        self.augmentation = build_augmentation(training.augmentation, training.seed)
        self.encoder = build_encoder(settings, image_size)
        self.head = keras.layers.Dense(1, activation="sigmoid", dtype="float32", name="head")
        self.head.build((None, settings.embedding_size))
        self.auc = keras.metrics.AUC(name="auc")
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.built = True

    def call(self, pixels, training: bool = False):
        """Pixels, uint8 or float [n, size, size, 3] (0 to 255), to embeddings float [n, d]."""
        pixels = ops.cast(pixels, "float32")
        if training:
            pixels = self.augmentation(pixels, training=True)
        return self.encoder(pixels, training=training)

    def similarity(self, left, right):
        """Embeddings float [n, d] of two sides to similarities float32 [n] in [0, 1]."""
        difference = ops.abs(ops.cast(left, "float32") - ops.cast(right, "float32"))
        return ops.squeeze(self.head(difference), axis=-1)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Loss of one pair block; `y` as in `trainer.input`, `y_pred` the embeddings."""
        embeddings = y_pred
        if self.settings.loss == "supervised_contrastive":
            # Gradients of the |L - R| head would distort what the contrastive loss shapes.
            contrastive = supervised_contrastive(y["class"], embeddings, self.settings.temperature)
            similarities = self._pair_similarities(y, ops.stop_gradient(embeddings))
            loss = contrastive + pair_crossentropy(y["target"], similarities, balanced=True)
        else:
            similarities = self._pair_similarities(y, embeddings)
            loss = pair_crossentropy(y["target"], similarities)
        self.loss_mean.update_state(loss)
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """AUC of the pairs so far, and the mean loss."""
        self.auc.update_state(y["target"], self._pair_similarities(y, y_pred))
        return {"loss": self.loss_mean.result(), "auc": self.auc.result()}

    @property
    def metrics(self):
        """What `fit` resets before each epoch."""
        return [self.loss_mean, self.auc]

    def _pair_similarities(self, y, embeddings):
        return self.similarity(
            ops.take(embeddings, y["left"], axis=0), ops.take(embeddings, y["right"], axis=0)
        )
