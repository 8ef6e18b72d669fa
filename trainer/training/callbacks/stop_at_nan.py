"""Ends a training whose loss is no longer a number."""

from __future__ import annotations

import math

import keras

from trainer.errors import TrainingError


class StopAtNaN(keras.callbacks.Callback):
    """Raises TrainingError at the step at which the loss stops being a finite number.

    Args:
        kept: Where the weights of the last good epoch are, for the message.
    """

    def __init__(self, kept: str) -> None:
        super().__init__()
        self._kept = kept

    def on_train_batch_end(self, batch, logs=None):
        """Look."""
        if math.isfinite(float(logs["loss"])):
            return
        optimizer = self.model.optimizer
        raise TrainingError(
            f"the loss is no longer a number at step {int(optimizer.iterations)}, where the "
            f"learning rate is {float(optimizer.learning_rate):.3g}; set training.learning_rate "
            f"lower, or training.clip_norm to 1. The last good epoch's weights are in {self._kept}"
        )
