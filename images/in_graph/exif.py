"""EXIF orientation in the graph.

Source: EXIF 2.32, section 4.6, https://www.cipa.jp/std/documents/e/DC-X008-Translation-2019-E.pdf
"""

from __future__ import annotations

import tensorflow as tf

from images.in_graph.bytes_of import Bytes, called, text_at

_ORIENTATION = 0x0112
_ENTRY = 12
"""Bytes of an entry: tag, type, count, value."""

_MOST_ENTRIES = 200


@called
def orientation(tiff: tf.Tensor) -> tf.Tensor:
    """Return the orientation that an EXIF block gives: int32 [], 1 if it gives none.

    Args:
        tiff: The block, which is a TIFF header with directories: string [].
    """
    start = text_at(tiff, 0, 4)
    little = start == b"II*\0"
    values = Bytes(tiff)

    def numbers(starts: tf.Tensor) -> tf.Tensor:
        """Return numbers of two bytes, int32 of the shape of `starts`."""
        found = values.integers(starts, 2)
        return tf.where(little, tf.bitwise.right_shift(found, 8) + 256 * (found % 256), found)

    # A block has at most 64 KB, so that two bytes of an offset suffice.
    directory = numbers(tf.where(little, 4, 6))
    # Entries lie after their number; the tag of one comes first, its value after 8 bytes.
    entries = directory + [2 + _ENTRY * i for i in range(_MOST_ENTRIES)]
    is_it = (numbers(entries) == _ORIENTATION) & ([*range(_MOST_ENTRIES)] < numbers(directory))
    first = numbers(entries[tf.argmax(is_it)] + 8)
    known = tf.reduce_any(is_it) & (little | (start == b"MM\0*"))
    return tf.where(known & (first >= 1) & (first <= 8), first, 1)


def turned(pixels: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
    """Return pixels [h, w, c] upright.

    Args:
        pixels: As decoded.
        by: The orientation, 1 to 8: int32 [].
    """
    flips = [[], [1], [0, 1], [0], [], [1], [0, 1], [0]]  # of orientation 1, 2, ...
    sideways = tf.cond(by >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    return tf.switch_case(
        by - 1,
        [lambda axes=axes: tf.reverse(sideways, axes) if axes else sideways for axes in flips],
    )
