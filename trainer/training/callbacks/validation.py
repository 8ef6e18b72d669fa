"""Judges each epoch on the validation images, every image encoded once."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from judging.classifier import few_shot_accuracy
from trainer.training.images import HeldOut, Images


class Validation(keras.callbacks.Callback):
    """Adds `val_auc` (of the pairs) and `val_accuracy` (few-shot) to an epoch's figures.

    Args:
        support: Training images that the few-shot accuracy goes by.
        held_out: The validation split.
        embed: Pixels, uint8 [n, size, size, 3], to embeddings [n, d].
    """

    def __init__(
        self, support: Images, held_out: HeldOut, embed: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        super().__init__()
        self._support, self._held_out, self._embed = support, held_out, embed

    def on_epoch_end(self, epoch, logs=None):
        """Judge."""
        logs.update(self.judge())

    def judge(self) -> dict[str, float]:
        """The figures of the network as it is."""
        pairs, images = self._held_out, self._held_out.images
        embeddings = self._embed(images.pixels)
        similarities = keras.ops.convert_to_numpy(
            self.model.similarity(embeddings[pairs.left], embeddings[pairs.right])
        )
        # A network that has gone wrong must not stop the run with a message of scikit-learn's.
        finite = np.isfinite(similarities).all()
        return {
            "val_auc": float(roc_auc_score(pairs.target, similarities)) if finite else float("nan"),
            "val_accuracy": few_shot_accuracy(
                self._embed(self._support.pixels), self._support.labels, embeddings, images.labels
            ),
        }
