"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import keras

from trainer.settings import Training


def build_optimizer(settings: Training, steps: int) -> keras.Optimizer:
    """The optimizer with its schedule over `steps` training steps."""
    rate = _learning_rate(settings, steps)
    weight_decay = settings.weight_decay or None
    optimizer: keras.Optimizer
    if settings.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=weight_decay)
    else:
        optimizer = keras.optimizers.SGD(
            rate, momentum=settings.momentum, nesterov=True, weight_decay=weight_decay
        )
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _learning_rate(settings: Training, steps: int):
    peak = settings.learning_rate
    if settings.schedule == "inverse_time":  # Keras 2's `decay` argument, as in the 2019 article
        return keras.optimizers.schedules.InverseTimeDecay(peak, 1, settings.decay)
    if settings.schedule == "constant":
        return peak
    warmup = round(settings.warmup * steps)
    if warmup == 0:
        return keras.optimizers.schedules.CosineDecay(peak, max(1, steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup
    )
