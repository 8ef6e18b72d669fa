"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import keras

from trainer.settings import Training


def build_optimizer(settings: Training, steps: int, pretrained: bool) -> keras.Optimizer:
    """The optimizer with its schedule.

    Args:
        settings: The `training` section of the configuration.
        steps: Training steps in all, over which the schedule runs.
        pretrained: Whether the backbone is, which a large learning rate would undo.
    """
    rate = _schedule(settings, steps, peak_learning_rate(settings, pretrained))
    weight_decay = settings.weight_decay or None
    optimizer: keras.Optimizer
    if settings.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(
            rate, weight_decay=weight_decay, global_clipnorm=settings.clip_norm
        )
    else:
        optimizer = keras.optimizers.SGD(
            rate,
            momentum=settings.momentum,
            nesterov=True,
            weight_decay=weight_decay,
            global_clipnorm=settings.clip_norm,
        )
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def peak_learning_rate(settings: Training, pretrained: bool) -> float:
    """The learning rate at its highest: as set, or what suits optimizer and backbone."""
    if settings.learning_rate is not None:
        return settings.learning_rate
    return (0.005 if pretrained else 0.05) / (50 if settings.optimizer == "adamw" else 1)


def _schedule(settings: Training, steps: int, peak: float):
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
