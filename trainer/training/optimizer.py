"""Optimizers and learning-rate schedules."""

from __future__ import annotations

from typing import Any

import keras

from trainer.settings import Training


class _ClipsTheSum:
    """Clips gradients after they are summed over the devices.

    Keras clips each device's gradient before the sum, so that the norm of the sum can be
    `global_clipnorm` times the number of devices.
    """

    def _clip_gradients(self, grads: list) -> list:
        return grads

    def _all_reduce_sum_gradients(self, grads_and_vars: list) -> list:
        parent: Any = super()
        summed, variables = zip(*parent._all_reduce_sum_gradients(grads_and_vars), strict=True)
        return list(zip(parent._clip_gradients(list(summed)), variables, strict=True))


class ReplicatedSGD(_ClipsTheSum, keras.optimizers.SGD):
    """SGD for several devices."""


class ReplicatedAdamW(_ClipsTheSum, keras.optimizers.AdamW):
    """AdamW for several devices."""


def build_optimizer(
    settings: Training, steps: int, pretrained: bool, replicated: bool = False
) -> keras.Optimizer:
    """Return the optimizer with its schedule.

    Args:
        settings: The `training` section of the configuration.
        steps: Total training steps, over which the schedule runs.
        pretrained: Whether the backbone is; a large learning rate would undo that.
        replicated: Whether several devices share a step.
    """
    common: dict[str, Any] = {
        "learning_rate": _schedule(settings, steps, peak_learning_rate(settings, pretrained)),
        "weight_decay": settings.weight_decay or None,
        "global_clipnorm": settings.clip_norm,
    }
    optimizer: keras.Optimizer
    if settings.optimizer == "adamw":
        optimizer = (ReplicatedAdamW if replicated else keras.optimizers.AdamW)(**common)
    else:
        kind = ReplicatedSGD if replicated else keras.optimizers.SGD
        optimizer = kind(momentum=settings.momentum, nesterov=True, **common)
    if settings.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def peak_learning_rate(settings: Training, pretrained: bool) -> float:
    """Return the peak learning rate: as set, or the default for optimizer and backbone."""
    if settings.learning_rate is not None:
        return settings.learning_rate
    return (0.005 if pretrained else 0.05) / (50 if settings.optimizer == "adamw" else 1)


def _schedule(settings: Training, steps: int, peak: float):
    if settings.article.inverse_time_decay is not None:  # Keras 2's argument `decay`
        return keras.optimizers.schedules.InverseTimeDecay(
            peak, 1, settings.article.inverse_time_decay
        )
    if settings.schedule == "constant":
        return peak
    warmup = round(settings.warmup * steps)
    if warmup == 0:
        return keras.optimizers.schedules.CosineDecay(peak, max(1, steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup
    )
