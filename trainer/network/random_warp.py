"""Random shear and smooth elastic deformation of images."""

from __future__ import annotations

import keras
from keras import ops

NODES = 5
"""Of the elastic deformation, along each side: at 28 pixels about as smooth as Simard et al.'s."""


class RandomWarp(keras.layers.Layer):
    """Changes images in training and passes them through at inference.

    The displacements of a coarse grid are drawn and interpolated in between (bicubic), which is
    close to the smoothed noise of Simard et al. 2003 (https://doi.org/10.1109/ICDAR.2003.1227801)
    and faster.

    Args:
        shear: Largest shift of a row, or a column, as fraction of its distance from the centre.
        elastic: Standard deviation of the grid's displacements, as fraction of the image size.
        seed: For the draws.
    """

    def __init__(self, shear: float, elastic: float, seed: int) -> None:
        super().__init__(dtype="float32")  # 16 bits are too few for positions
        self.shear = shear
        self.elastic = elastic
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images, training: bool = False):
        """Return float [n, height, width, c] of images of that shape."""
        if not training:
            return images
        count, height, width, _ = ops.shape(images)
        rows = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1))
        columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width))
        shear = keras.random.uniform((count, 2, 1, 1), -self.shear, self.shear, seed=self.generator)
        noise = keras.random.normal((count, NODES, NODES, 2), seed=self.generator)
        bent = self.elastic * ops.image.resize(
            noise, (height, width), interpolation="bicubic", data_format="channels_last"
        )
        y = rows + shear[:, 0] * (columns - (width - 1) / 2) + height * bent[..., 0]
        x = columns + shear[:, 1] * (rows - (height - 1) / 2) + width * bent[..., 1]
        return _sample(images, ops.clip(y, 0, height - 1), ops.clip(x, 0, width - 1))

    def compute_output_shape(self, input_shape):
        """Return the shape of the images, which stays."""
        return input_shape


def _sample(images, y, x):
    """Return the values at positions [n, h, w] within images [n, h, w, c], bilinear."""
    count, height, width, channels = ops.shape(images)
    flat = ops.reshape(images, (count * height * width, channels))
    first = ops.reshape(ops.arange(count) * (height * width), (count, 1, 1))
    top, left = ops.floor(y), ops.floor(x)
    down, right = (y - top)[..., None], (x - left)[..., None]
    top, left = ops.cast(top, "int32"), ops.cast(left, "int32")

    def corner(row, column):
        row, column = ops.minimum(row, height - 1), ops.minimum(column, width - 1)
        return ops.take(flat, first + row * width + column, axis=0)

    above = corner(top, left) * (1 - right) + corner(top, left + 1) * right
    below = corner(top + 1, left) * (1 - right) + corner(top + 1, left + 1) * right
    return above * (1 - down) + below * down
