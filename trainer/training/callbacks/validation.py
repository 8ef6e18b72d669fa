"""Evaluates each epoch on the validation images; each image is encoded once."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from judging.classifier import few_shot_accuracy
from trainer.training.images import HeldOut, Images


class Validation(keras.callbacks.Callback):
    """Adds `val_auc` (of the pairs) and `val_accuracy` (few-shot) to an epoch's metrics.

    Args:
        support: Training images, the support set of the few-shot accuracy.
        held_out: The validation split.
        embed: From pixels, uint8 [n, size, size, 3], to embeddings [n, d].
    """

    def __init__(
        self, support: Images, held_out: HeldOut, embed: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        super().__init__()
        self._support, self._held_out, self._embed = support, held_out, embed

    def on_epoch_end(self, epoch, logs=None):
        """Add the metrics."""
        logs.update(self.evaluate())

    def evaluate(self) -> dict[str, float]:
        """Return the metrics of the present weights."""
        pairs, images = self._held_out, self._held_out.images
        embeddings = self._embed(images.pixels)
        similarities = keras.ops.convert_to_numpy(
            self.model.similarity(embeddings[pairs.left], embeddings[pairs.right])
        )
        # scikit-learn raises for NaN; `StopAtNaN` has the better message.
        finite = np.isfinite(similarities).all()
        return {
            "val_auc": float(roc_auc_score(pairs.target, similarities)) if finite else float("nan"),
            "val_accuracy": few_shot_accuracy(
                self._embed(self._support.pixels), self._support.labels, embeddings, images.labels
            ),
        }
