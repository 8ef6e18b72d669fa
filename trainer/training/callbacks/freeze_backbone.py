"""Freezes a pretrained backbone while the new layers are trained."""

from __future__ import annotations

import keras

from trainer.network.backbone import set_trainable
from trainer.settings import Model


class FreezeBackbone(keras.callbacks.Callback):
    """Freezes the backbone for the first epochs.

    Gradients through untrained layers distort pretrained features (Kumar et al. 2022,
    https://arxiv.org/abs/2202.10054).

    Args:
        epochs: Number of epochs.
        settings: The `model` section; its `batch_norm` holds after unfreezing too.
    """

    def __init__(self, epochs: int, settings: Model) -> None:
        super().__init__()
        self._epochs, self._settings = epochs, settings
        self._trainable: bool | None = None

    def on_epoch_begin(self, epoch, logs=None):
        """Freeze or unfreeze the backbone if that changes."""
        trainable = epoch >= self._epochs
        if trainable != self._trainable:
            self._trainable = trainable
            set_trainable(self.model.encoder.get_layer("backbone"), trainable, self._settings)
            # The step was traced with the previous trainable variables.
            self.model.make_train_function(force=True)
