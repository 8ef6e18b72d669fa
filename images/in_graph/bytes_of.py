"""Reads bytes of a string tensor without errors: what is not there counts as zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def called(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a graph function that is traced once, and instantiated only where it is executed.

    Inlined into the functions of a dataset, which are instantiated for each request, its rarely
    used operations would take several milliseconds each time.
    """
    return tf.function(function, autograph=False, experimental_attributes={"_noinline": True})


def text_at(data: tf.Tensor, start: tf.Tensor | int, length: tf.Tensor | int) -> tf.Tensor:
    """Return up to `length` bytes of strings [] or [n] from `start` on: strings of that shape."""
    position = tf.minimum(start, tf.strings.length(data))
    return tf.strings.substr(data, position, tf.zeros_like(position) + tf.maximum(length, 0))


def bytes_at(data: tf.Tensor, start: tf.Tensor | int, length: int) -> tf.Tensor:
    """Return `length` bytes of strings [...] from `start` on: int32 [..., length]."""
    return tf.cast(_decoded(data, start, length, tf.uint8), tf.int32)


def integers_at(data: tf.Tensor, start: tf.Tensor | int, count: int) -> tf.Tensor:
    """Return `count` big-endian numbers of four bytes: int32 [..., count]."""
    return _decoded(data, start, count, tf.int32)


class Bytes:
    """The bytes of one string; reads numbers at many positions in few operations.

    Each operation takes time wherever a model is loaded: many calls of `integers_at` would be slow.

    Args:
        text: string [].
    """

    def __init__(self, text: tf.Tensor) -> None:
        self._values = tf.io.decode_raw(tf.strings.join([text, b"\0"]), tf.uint8)
        self.size = tf.size(self._values) - 1

    def integers(self, starts: tf.Tensor, size: int = 4) -> tf.Tensor:
        """Return big-endian numbers: int32 of the shape of `starts`.

        Args:
            starts: Where they start, int32, not negative.
            size: Bytes of a number, 2 or 4.
        """
        from_last = [*range(size)][::-1]  # `bitcast` has the lowest byte first
        places = tf.minimum(tf.expand_dims(starts, -1) + from_last, self.size)
        dtype = tf.int32 if size == 4 else tf.uint16
        return tf.cast(tf.bitcast(tf.gather(self._values, places), dtype), tf.int32)


def _decoded(data: tf.Tensor, start: tf.Tensor | int, count: int, dtype: tf.DType) -> tf.Tensor:
    size = count * dtype.size
    padded = tf.strings.join([text_at(data, start, size), tf.constant(b"\0" * size)])
    values = tf.io.decode_raw(tf.strings.substr(padded, 0, size), dtype, little_endian=False)
    # Not ensure_shape: of no strings, decode_raw makes [0, 0].
    return tf.reshape(values, [-1] * data.shape.rank + [count])
