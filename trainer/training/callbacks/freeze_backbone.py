"""Unfreezes a pretrained backbone step by step, the layers after it being trained first."""

from __future__ import annotations

from typing import NamedTuple

import keras

from trainer.network.backbone import LAST_BLOCKS, set_trainable
from trainer.settings import Model, Training, has_new_layers


class Unfreezing(NamedTuple):
    """How many epochs train only a part of the backbone.

    Attributes:
        frozen: First epochs, which train nothing of it.
        last_blocks: Epochs after these, which train its last blocks.
    """

    frozen: int
    last_blocks: int

    def share(self, epoch: int) -> float:
        """Return the share of the backbone's layers that an epoch trains."""
        if epoch < self.frozen:
            return 0
        return LAST_BLOCKS if epoch < self.frozen + self.last_blocks else 1

    def last_change(self, epochs: int) -> int:
        """Return the first epoch after which the trained layers no longer change."""
        return max(at for at in (0, self.frozen, self.frozen + self.last_blocks) if at < epochs)


def unfreezing(settings: Training, model: Model) -> Unfreezing:
    """Return the configured epochs.

    By default a backbone from scratch is trained as a whole. With AdamW each one is: it corrects
    its estimates by the number of all steps, so that layers which are unfrozen later would begin
    with steps several times too large.

    Args:
        settings: The `training` section.
        model: The `model` section.
    """
    in_parts = model.pretrained and settings.optimizer == "sgd"
    third = settings.epochs // 3 if in_parts else 0
    frozen, last_blocks = settings.frozen_epochs, settings.last_blocks_epochs
    if frozen is None:
        frozen = min(1, third) if has_new_layers(model, settings) else 0
    if last_blocks is None:
        last_blocks = min(third, (settings.epochs - frozen) // 2)
    return Unfreezing(frozen, last_blocks)


class FreezeBackbone(keras.callbacks.Callback):
    """Freezes the backbone, or all but its last blocks, in the first epochs.

    Gradients through untrained layers distort pretrained features (Kumar et al. 2022,
    https://arxiv.org/abs/2202.10054).

    Args:
        epochs: Their numbers.
        settings: The `model` section; its `batch_norm` holds after unfreezing too.
    """

    def __init__(self, epochs: Unfreezing, settings: Model) -> None:
        super().__init__()
        self._epochs, self._settings = epochs, settings
        self._share: float | None = None

    def on_epoch_begin(self, epoch, logs=None):
        """Freeze or unfreeze layers if that changes."""
        share = self._epochs.share(epoch)
        if share != self._share:
            self._share = share
            set_trainable(self.model.encoder.get_layer("backbone"), share, self._settings)
            # The step was traced with the previous trainable variables.
            self.model.make_train_function(force=True)
