"""A pretrained backbone that keeps its weights while the new layers find theirs."""

from __future__ import annotations

import keras

from trainer.network.backbone import set_trainable
from trainer.settings import Model


class FreezeBackbone(keras.callbacks.Callback):
    """Freezes the backbone for the first epochs.

    Random layers send a pretrained backbone gradients that undo what it knows (Kumar et al. 2022,
    https://arxiv.org/abs/2202.10054).

    Args:
        epochs: How many.
        settings: The `model` section, which says whether batch normalization learns afterwards.
    """

    def __init__(self, epochs: int, settings: Model) -> None:
        super().__init__()
        self._epochs, self._settings = epochs, settings
        self._trainable: bool | None = None

    def on_epoch_begin(self, epoch, logs=None):
        """Freeze or free it where that changes."""
        trainable = epoch >= self._epochs
        if trainable != self._trainable:
            self._trainable = trainable
            set_trainable(self.model.encoder.get_layer("backbone"), trainable, self._settings)
            # The step was traced for the variables that were trainable before.
            self.model.make_train_function(force=True)
