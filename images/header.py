"""Reads kind and number of pixels from an image's header in the graph, before decoding."""

from __future__ import annotations

import tensorflow as tf

from images.deep import FLOAT_CHUNK, HEADER_END

_MAX_GIF_BLOCKS = 20_000
"""Blocks of a GIF that are read; encoders make blocks of 255 bytes, so this allows 5 MB."""


def encoded_pixels(image: tf.Tensor) -> tf.Tensor:
    """Return the number of pixels that decoding allocates, from an image's header.

    Formats are recognized by their first bytes, as `tf.io.decode_image` does. All frames of a GIF
    count together, since its decoder unpacks all of them whatever the logical screen's size.

    Args:
        image: An encoded image, string []. TensorFlow's decoder need not be able to read it.

    Returns:
        int64 []: height times width; 0 for an unknown format, a PNG that does not start with its
        header, or a GIF with too many blocks.

    Raises:
        tf.errors.OpError: The header is truncated or damaged.
    """
    cases = (
        (b"\xff\xd8\xff", _jpeg),
        (b"\x89PNG\r\n\x1a\n", _png),
        (b"GIF8", _gif),
        (b"BM", _bmp),
    )
    # tf.strings.regex_full_match would treat the bytes as UTF-8.
    return tf.case(
        [(_at(image, 0, len(start)) == start, lambda of=of: of(image)) for start, of in cases],
        default=lambda: tf.constant(0, tf.int64),
    )


def is_sixteen_bit_png(image: tf.Tensor) -> tf.Tensor:
    """Return whether an encoded image, string [], is a PNG of 16 bits a value: bool []."""
    return _is_png(image) & (_at(image, 24, 1) == b"\x10")


def is_float_png(image: tf.Tensor) -> tf.Tensor:
    """Return whether an encoded image, string [], is a float PNG (`images.deep`): bool []."""
    return _is_png(image) & (_at(image, HEADER_END + 4, 4) == FLOAT_CHUNK)


def _is_png(image: tf.Tensor) -> tf.Tensor:
    return _at(image, 0, 8) == b"\x89PNG\r\n\x1a\n"


def _jpeg(image: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.image.extract_jpeg_shape(image, tf.int64)[:2])


def _png(image: tf.Tensor) -> tf.Tensor:
    """Width and height are in the chunk IHDR, which is the first by the PNG specification."""
    sides = tf.io.decode_raw(_at(image, 16, 8), tf.int32, little_endian=False)
    return tf.where(_at(image, 12, 4) == b"IHDR", _area(sides), 0)


def _bmp(image: tf.Tensor) -> tf.Tensor:
    """Width and height follow the size of the BITMAPINFOHEADER; a negative height is top-down."""
    return _area(tf.io.decode_raw(_at(image, 18, 8), tf.int32))


def _area(sides: tf.Tensor) -> tf.Tensor:
    """Return the area of int32 [2]; an error if the header ends before it."""
    return tf.reduce_prod(tf.abs(tf.cast(tf.ensure_shape(sides, [2]), tf.int64)))


def _gif(image: tf.Tensor) -> tf.Tensor:
    """Read the blocks as https://www.w3.org/Graphics/GIF/spec-gif89a.txt describes them."""
    data = tf.cast(tf.io.decode_raw(image, tf.uint8), tf.int32)
    # Zeros after the end stop any read beyond it.
    data = tf.concat([data, tf.zeros([16], tf.int32)], axis=0)
    end = tf.size(data) - 16

    def table(flags: tf.Tensor) -> tf.Tensor:
        """Return the size of a colour table in bytes."""
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def within(at, inside, pixels, step):
        known = (data[at] == _EXTENSION) | (data[at] == _FRAME)
        return (at < end) & (inside | known) & (step < _MAX_GIF_BLOCKS)

    def advance(at, inside, pixels, step):
        frame = ~inside & (data[at] == _FRAME)
        block = tf.cast(data[at : at + 10], tf.int64)
        area = (block[5] + 256 * block[6]) * (block[7] + 256 * block[8])
        # A sub-block is a length and as many bytes; an empty one ends the block. Before
        # them, an extension has its label, a frame its descriptor, colour table and code size.
        start = tf.where(frame, 11 + table(data[at + 9]), 2)
        at_next = tf.minimum(at + tf.where(inside, 1 + data[at], start), end)
        continues = ~inside | (data[at] != 0)
        return at_next, continues, pixels + tf.where(frame, area, 0), step + 1

    start = tf.minimum(13 + table(data[10]), end)
    _, _, pixels, steps = tf.while_loop(
        within, advance, (start, tf.constant(False), tf.constant(0, tf.int64), tf.constant(0))
    )
    screen = (data[6] + 256 * data[7]), (data[8] + 256 * data[9])
    pixels = tf.maximum(pixels, tf.reduce_prod(tf.cast(screen, tf.int64)))
    return tf.where(steps < _MAX_GIF_BLOCKS, pixels, 0)


_EXTENSION, _FRAME = 0x21, 0x2C


def _at(image: tf.Tensor, start: int, length: int) -> tf.Tensor:
    """Return `length` bytes from `start` on, fewer at the image's end."""
    position = tf.minimum(start, tf.strings.length(image))
    return tf.strings.substr(image, position, length)
