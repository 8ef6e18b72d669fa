"""Label-safe augmentation: random changes to training images that keep their class."""

from __future__ import annotations

import keras

from trainer.settings import Augmentation


def build_augmentation(settings: Augmentation | None, seed: int) -> keras.Layer:
    """Layers that change images in training and pass them through at inference.

    Args:
        settings: The `training.augmentation` section; None changes nothing.
        seed: Of the random changes.

    Returns:
        Layer from float32 [n, size, size, 3] (0 to 255) to the same.
    """
    layers: list[keras.Layer] = []
    if settings is not None:
        if settings.horizontal_flip or settings.vertical_flip:
            mode = {(True, True): "horizontal_and_vertical", (True, False): "horizontal"}.get(
                (settings.horizontal_flip, settings.vertical_flip), "vertical"
            )
            layers.append(keras.layers.RandomFlip(mode, seed=seed))
        # The border is continued outwards: black corners would be a mark of training images.
        border = {"fill_mode": "nearest", "seed": seed}
        if settings.rotation:
            layers.append(keras.layers.RandomRotation(settings.rotation / 360, **border))
        if settings.scale:
            layers.append(keras.layers.RandomZoom(settings.scale, **border))
        if settings.shift:
            layers.append(keras.layers.RandomTranslation(settings.shift, settings.shift, **border))
        if settings.brightness:
            layers.append(keras.layers.RandomBrightness(settings.brightness, seed=seed))
        if settings.contrast:
            layers.append(keras.layers.RandomContrast(settings.contrast, (0, 255), seed=seed))
        if settings.saturation:
            # 0.5 leaves the colours as they are.
            factor = (0.5 - settings.saturation / 2, 0.5 + settings.saturation / 2)
            layers.append(keras.layers.RandomSaturation(factor, (0, 255), seed=seed))
    return keras.Sequential([*layers, keras.layers.Identity()], name="augmentation")
