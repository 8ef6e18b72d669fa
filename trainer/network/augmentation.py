"""Label-safe augmentation: random changes to training images that keep their class."""

from __future__ import annotations

import keras
import numpy as np

from trainer.settings import Augmentation


def build_augmentation(settings: Augmentation | None, seed: int) -> keras.Layer:
    """Return layers that change images in training and pass them through at inference.

    Args:
        settings: The `training.augmentation` section; None changes nothing.
        seed: Every layer gets a seed of its own, derived from this one.

    Returns:
        Layer from float32 [n, size, size, 3] (0 to 255) to the same.
    """
    layers: list[keras.Layer] = []
    if settings is not None:
        flip, rotate, zoom, shift, brightness, contrast, saturation = _independent_seeds(seed, 7)
        if settings.horizontal_flip or settings.vertical_flip:
            mode = {(True, True): "horizontal_and_vertical", (True, False): "horizontal"}.get(
                (settings.horizontal_flip, settings.vertical_flip), "vertical"
            )
            layers.append(keras.layers.RandomFlip(mode, seed=flip))
        # Black corners would give training images away: fill with the border's colours.
        if settings.rotation:
            layers.append(
                keras.layers.RandomRotation(
                    settings.rotation / 360, fill_mode="nearest", seed=rotate
                )
            )
        if settings.scale:
            layers.append(keras.layers.RandomZoom(settings.scale, fill_mode="nearest", seed=zoom))
        if settings.shift:
            layers.append(
                keras.layers.RandomTranslation(
                    settings.shift, settings.shift, fill_mode="nearest", seed=shift
                )
            )
        if settings.brightness:
            layers.append(keras.layers.RandomBrightness(settings.brightness, seed=brightness))
        if settings.contrast:
            layers.append(keras.layers.RandomContrast(settings.contrast, (0, 255), seed=contrast))
        if settings.saturation:
            # 0.5 leaves the colours as they are.
            factor = (0.5 - settings.saturation / 2, 0.5 + settings.saturation / 2)
            layers.append(keras.layers.RandomSaturation(factor, (0, 255), seed=saturation))
    return keras.Sequential([*layers, keras.layers.Identity()], name="augmentation")


def _independent_seeds(seed: int, count: int) -> list[int]:
    """Layers with equal seeds would draw equal numbers: an angle would determine the zoom."""
    return [int(state >> 1) for state in np.random.SeedSequence(seed).generate_state(count)]
