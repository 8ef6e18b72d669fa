"""The pixels of an encoded image, in the graph: decode, cut out, resize, map to 0 to 255."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from images.canonical import Region
from images.in_graph.png_depth import is_float_png, is_sixteen_bit_png

_RESIZE = {
    "cubic": tf.image.ResizeMethod.BICUBIC,
    "linear": tf.image.ResizeMethod.BILINEAR,
    "area": tf.image.ResizeMethod.AREA,
    "nearest": tf.image.ResizeMethod.NEAREST_NEIGHBOR,
}
_BORDER = 128
"""Grey, to which normalization gives about zero."""

_SIXTEEN_BITS = 65535.0


class Fitting(NamedTuple):
    """How an image is brought to the network's size.

    Attributes:
        height: Rows of the result.
        width: Columns of the result.
        interpolation: One of the configuration's `image.interpolation`.
        resize: `stretch` changes the aspect ratio; `pad` adds a grey border on two sides; `crop`
            cuts off two sides.
        region: What is cut out first; None for all.
    """

    height: int
    width: int
    interpolation: str = "cubic"
    resize: str = "stretch"
    region: Region | None = None


def decode_and_resize(
    image: tf.Tensor, size: int, interpolation: str, resize: str = "stretch"
) -> tf.Tensor:
    """Return RGB uint8 [size, size, 3] of an encoded image of eight bits; see `to_pixels`."""
    return to_pixels(image, Fitting(size, size, interpolation, resize))


def to_pixels(
    image: tf.Tensor,
    fitting: Fitting,
    low: tf.Tensor | float = 0.0,
    high: tf.Tensor | float = 0.0,
) -> tf.Tensor:
    """Decode an encoded image and bring it to the network's size.

    Args:
        image: A canonical image (`images.canonical`), or any JPEG, PNG, BMP or GIF: string [].
        fitting: The size and how it is reached.
        low: Value that becomes 0 in images of more than eight bits, float32 [].
        high: Value that becomes 255. If it is not above `low`, the data set has no range: 16-bit
            images are mapped by all their 65,536 values, and a float PNG is an error.

    Returns:
        RGB uint8 [height, width, 3].

    Raises:
        tf.errors.InvalidArgumentError: The bytes are not such an image, or the region is not in it.
    """
    low, high = tf.cast(low, tf.float32), tf.cast(high, tf.float32)
    has_range = high > low
    low, high = tf.where(has_range, low, 0.0), tf.where(has_range, high, _SIXTEEN_BITS)

    def eight_bits() -> tf.Tensor:
        pixels = tf.io.decode_image(image, channels=3, expand_animations=False)
        pixels.set_shape([None, None, 3])
        return _as_bytes(_fit(pixels, fitting), fitting)

    def sixteen_bits() -> tf.Tensor:
        values = tf.io.decode_png(image, channels=0, dtype=tf.uint16)
        bounds = [tf.cast(tf.clip_by_value(to, 0, _SIXTEEN_BITS), tf.uint16)
                  for to in (tf.floor(low), tf.math.ceil(high))]  # fmt: skip
        return mapped(tf.clip_by_value(values, *bounds))

    def floating() -> tf.Tensor:
        values = tf.bitcast(tf.io.decode_png(image, channels=4), tf.float32)
        # An error without a range. Not an assertion: Transform cannot prune one from its analysis,
        # and would decode all images twice.
        values = tf.slice(values, (0, 0), tf.shape(values) + tf.where(has_range, 0, 1))
        return mapped(tf.clip_by_value(values, low, high)[..., None])

    def mapped(values: tf.Tensor) -> tf.Tensor:
        # Clipped before: a defective pixel must not spread when the image is shrunk.
        return _as_bytes((_fit(values, fitting) - low) * (255 / (high - low)), fitting)

    branches: list[tuple[tf.Tensor, Callable[[], tf.Tensor]]] = [
        (is_float_png(image), floating),
        (is_sixteen_bit_png(image), sixteen_bits),
    ]
    pixels = tf.case(branches, default=eight_bits)
    return tf.ensure_shape(pixels, (fitting.height, fitting.width, 3))


def _fit(pixels: tf.Tensor, fitting: Fitting) -> tf.Tensor:
    """Return [h, w, c] cut out and resized, float32; with `pad` without the border."""
    if fitting.region is not None:
        region = fitting.region
        # An error if the image is too small.
        pixels = tf.slice(pixels, (region.y, region.x, 0), (region.height, region.width, -1))
    target = (fitting.height, fitting.width)
    if fitting.resize == "crop":
        pixels = _largest_of_shape(pixels, target)
    size = _largest_within(pixels, target) if fitting.resize == "pad" else target
    # Without antialiasing, fine texture turns into noise when a photograph is shrunk.
    resized = tf.image.resize(pixels, size, _RESIZE[fitting.interpolation], antialias=True)
    return tf.cast(resized, tf.float32)


def _as_bytes(values: tf.Tensor, fitting: Fitting) -> tf.Tensor:
    """Return values [h, w, 1 or 3] from 0 to 255 as RGB uint8 [height, width, 3]."""
    pixels = tf.saturate_cast(tf.round(values), tf.uint8)
    height, width = tf.unstack(tf.shape(pixels)[:2])
    pixels = tf.broadcast_to(pixels, (height, width, 3))  # an error for two or four channels
    if fitting.resize == "pad":
        above, left = (fitting.height - height) // 2, (fitting.width - width) // 2
        below, right = fitting.height - height - above, fitting.width - width - left
        edges = ((above, below), (left, right), (0, 0))
        pixels = tf.pad(pixels, edges, constant_values=tf.constant(_BORDER, tf.uint8))
    return pixels


def _largest_within(pixels: tf.Tensor, target: tuple[int, int]) -> tf.Tensor:
    """Return the largest size, int32 [2], of the image's shape that the target has room for."""
    size = tf.cast(tf.shape(pixels)[:2], tf.float32)
    scale = tf.reduce_min(tf.constant(target, tf.float32) / size)
    return tf.clip_by_value(tf.cast(tf.round(size * scale), tf.int32), 1, target)


def _largest_of_shape(pixels: tf.Tensor, target: tuple[int, int]) -> tf.Tensor:
    """Return the largest part in the image's middle that has the target's shape."""
    size = tf.shape(pixels)[:2]
    scale = tf.reduce_min(tf.cast(size, tf.float32) / tf.constant(target, tf.float32))
    wanted = tf.constant(target, tf.float32) * scale
    part = tf.clip_by_value(tf.cast(tf.round(wanted), tf.int32), 1, size)
    start = (size - part) // 2
    return tf.slice(pixels, (start[0], start[1], 0), (part[0], part[1], -1))
