"""Reads the blocks of a GIF in the graph.

Source: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

import tensorflow as tf

_MOST_BLOCKS = 20_000
"""Blocks that are read; encoders make blocks of 255 bytes, so this allows 5 MB."""

_EXTENSION, _FRAME, _CONTROL = 0x21, 0x2C, 0xF9


def read_gif(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the number of pixels that decoding allocates, and whether one frame is the picture.

    All frames count together, since the decoder unpacks all of them whatever the screen's size.

    Args:
        image: A file that starts as a GIF does, string [].

    Returns:
        int64 [], 0 if there are too many blocks; and bool [], whether the first frame fills the
        screen and is opaque.
    """
    data = tf.cast(tf.io.decode_raw(image, tf.uint8), tf.int32)
    # Zeros after the end stop any read beyond it.
    data = tf.concat([data, tf.zeros([16], tf.int32)], axis=0)
    end = tf.size(data) - 16

    def table(flags: tf.Tensor) -> tf.Tensor:
        """Return the size of a colour table in bytes."""
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def within(at, inside, pixels, step, frames, whole):
        known = (data[at] == _EXTENSION) | (data[at] == _FRAME)
        return (at < end) & (inside | known) & (step < _MOST_BLOCKS)

    def advance(at, inside, pixels, step, frames, whole):
        block = data[at : at + 10]
        frame = ~inside & (block[0] == _FRAME)
        sides = tf.cast(block, tf.int64)
        area = (sides[5] + 256 * sides[6]) * (sides[7] + 256 * sides[8])
        is_control = (block[0] == _EXTENSION) & (block[1] == _CONTROL)
        transparent = ~inside & is_control & (block[3] % 2 == 1)
        fills = tf.reduce_all(block[1:5] == 0) & tf.reduce_all(block[5:9] == data[6:10])
        first = frames == 0
        # A sub-block is a length and as many bytes; an empty one ends the block. Before
        # them, an extension has its label, a frame its descriptor, colour table and code size.
        start = tf.where(frame, 11 + table(block[9]), 2)
        return (
            tf.minimum(at + tf.where(inside, 1 + block[0], start), end),
            ~inside | (block[0] != 0),
            pixels + tf.where(frame, area, 0),
            step + 1,
            frames + tf.cast(frame, tf.int32),
            whole & ~(first & transparent) & (~(first & frame) | fills),
        )

    zero, yes = tf.constant(0), tf.constant(True)
    start = (tf.minimum(13 + table(data[10]), end), ~yes, tf.constant(0, tf.int64), zero, zero, yes)
    _, _, pixels, steps, _, whole = tf.while_loop(within, advance, start)
    screen = (data[6] + 256 * data[7]), (data[8] + 256 * data[9])
    pixels = tf.maximum(pixels, tf.reduce_prod(tf.cast(screen, tf.int64)))
    return tf.where(steps < _MOST_BLOCKS, pixels, 0), whole
