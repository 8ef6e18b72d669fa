"""Conv-4, the small network of the few-shot papers."""

from __future__ import annotations

import keras

MINIMUM_SIZE = 16
"""Pixels; after four poolings one is left."""


def build_conv4(image_size: int, filters: int = 64) -> keras.Model:
    """Return four blocks of convolution, batch normalization, ReLU and pooling.

    From Vinyals et al. 2016 (https://arxiv.org/abs/1606.04080). It trains from scratch on small
    images in minutes on a CPU.

    Args:
        image_size: Height and width in pixels, at least `MINIMUM_SIZE`.
        filters: Channels of each convolution.

    Returns:
        Model from float32 [n, size, size, 3] (-1 to 1) to float32 [n, size/16, size/16, filters].
    """
    pixels = keras.Input((image_size, image_size, 3))
    x = pixels
    for _ in range(4):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D()(x)
    return keras.Model(pixels, x, name="conv4")
