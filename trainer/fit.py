"""Trains the network on pair blocks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import TrainingError
from trainer.input import pair_blocks
from trainer.optimizer import build_optimizer
from trainer.settings import Model, Training
from trainer.siamese import Siamese

_HELD_OUT_PAIRS_PER_STEP = 64


def train(
    model_settings: Model,
    settings: Training,
    image_size: int,
    train_files: Sequence[str],
    validation_files: Sequence[str],
) -> tuple[Siamese, dict[str, Any]]:
    """Train a new network.

    Args:
        model_settings: The `model` section of the configuration.
        settings: The `training` section.
        image_size: Height and width in pixels.
        train_files: Gzipped TFRecords of pair blocks to learn from.
        validation_files: The same, plain pairs, to watch and to choose the best epoch by.

    Returns:
        The network, with the best epoch's weights where `settings.patience` is set, and a summary:
        `epochs`, `seconds`, `parameters`, and `history` (a list for each metric).

    Raises:
        BackboneError, WeightsError: See `trainer.backbone`.
        TrainingError: There is nothing to train on, or the loss is no longer a number.
    """
    keras.utils.set_random_seed(settings.seed)
    training = pair_blocks(train_files, image_size, settings.blocks_per_step, settings.seed)
    validation = pair_blocks(validation_files, image_size, _HELD_OUT_PAIRS_PER_STEP)
    steps = sum(1 for _ in training)
    if steps == 0:
        raise TrainingError("the training split holds no pair block")
    training = training.apply(tf.data.experimental.assert_cardinality(steps))
    model = Siamese(model_settings, settings, image_size)
    model.compile(optimizer=build_optimizer(settings, steps * settings.epochs))
    callbacks: list[keras.callbacks.Callback] = [_Progress(settings.epochs), _StopAtNaN()]
    if settings.patience:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_auc", mode="max", patience=settings.patience, restore_best_weights=True
            )
        )
    started = time.time()
    history = model.fit(
        training,
        validation_data=validation,
        epochs=settings.epochs,
        callbacks=callbacks,
        shuffle=False,  # the dataset shuffles itself
        verbose=0,
    ).history
    return model, {
        "epochs": len(history["loss"]),
        "seconds": round(time.time() - started, 1),
        "parameters": model.count_params(),
        "history": {name: [float(v) for v in values] for name, values in history.items()},
    }


class _Progress(keras.callbacks.Callback):
    """A line an epoch in the log."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._started = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.time()

    def on_epoch_end(self, epoch, logs=None):
        figures = ", ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
        seconds = time.time() - self._started
        print(f"epoch {epoch + 1}/{self._epochs}: {figures} ({seconds:.1f} s)", flush=True)


class _StopAtNaN(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if loss != loss:
            raise TrainingError(
                f"the loss is no longer a number at step {int(self.model.optimizer.iterations)}; "
                f"set training.learning_rate below {float(self.model.optimizer.learning_rate):g}"
            )
