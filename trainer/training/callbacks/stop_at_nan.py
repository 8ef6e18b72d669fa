"""Stops a training whose loss is NaN or infinite."""

from __future__ import annotations

import math

import keras

from trainer.errors import TrainingError


class StopAtNaN(keras.callbacks.Callback):
    """Raises TrainingError at the first step whose loss is not finite.

    Args:
        backup: Folder with the weights of the last good epoch, for the message.
    """

    def __init__(self, backup: str) -> None:
        super().__init__()
        self._backup = backup

    def on_train_batch_end(self, batch, logs=None):
        """Check the loss."""
        if math.isfinite(float(logs["loss"])):
            return
        optimizer = self.model.optimizer
        raise TrainingError(
            f"the loss is not finite at step {int(optimizer.iterations)}, where the learning rate "
            f"is {float(optimizer.learning_rate):.3g}; set training.learning_rate lower, or "
            f"training.clip_norm to 1. The last good epoch's weights are in {self._backup}"
        )
