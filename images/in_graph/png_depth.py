"""Tells PNG files of more than eight bits from others, in the graph."""

from __future__ import annotations

import tensorflow as tf

from images.bit_depth import FLOAT_CHUNK, HEADER_END


def is_sixteen_bit_png(image: tf.Tensor) -> tf.Tensor:
    """Return whether an encoded image, string [], is a PNG of 16 bits a value: bool []."""
    return _is_png(image) & (_at(image, 24, 1) == b"\x10")


def is_float_png(image: tf.Tensor) -> tf.Tensor:
    """Return whether an encoded image, string [], is a float PNG (`images.bit_depth`): bool []."""
    return _is_png(image) & (_at(image, HEADER_END + 4, 4) == FLOAT_CHUNK)


def _is_png(image: tf.Tensor) -> tf.Tensor:
    return _at(image, 0, 8) == b"\x89PNG\r\n\x1a\n"


def _at(image: tf.Tensor, start: int, length: int) -> tf.Tensor:
    """Return `length` bytes from `start` on, fewer at the image's end."""
    position = tf.minimum(start, tf.strings.length(image))
    return tf.strings.substr(image, position, length)
