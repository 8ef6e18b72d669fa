"""Reads the number of pixels of an encoded image in the graph, before anything is decoded."""

from __future__ import annotations

import tensorflow as tf

_MOST_GIF_STEPS = 20_000
"""Blocks of a GIF that are walked; encoders make them of 255 bytes, so that these are 5 MB."""


def encoded_pixels(image: tf.Tensor) -> tf.Tensor:
    """Pixels that decoding would take memory for, told from an image's header.

    The kinds are told apart as `tf.io.decode_image` does, by their first bytes. Of a GIF all frames
    together count, since its decoder unpacks all of them whatever its logical screen says.

    Args:
        image: An encoded image, string []. TensorFlow's decoder need not be able to read it.

    Returns:
        int64 []: height times width; 0 where the bytes are of no kind that is read, a PNG that
        does not start with its header, or a GIF of too many blocks.

    Raises:
        tf.errors.OpError: The header is cut off or damaged.
    """
    cases = (
        (b"\xff\xd8\xff", _jpeg),
        (b"\x89PNG\r\n\x1a\n", _png),
        (b"GIF8", _gif),
        (b"BM", _bmp),
    )
    # tf.strings.regex_full_match would take the bytes for UTF-8.
    return tf.case(
        [(_at(image, 0, len(start)) == start, lambda of=of: of(image)) for start, of in cases],
        default=lambda: tf.constant(0, tf.int64),
    )


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
    """Of width and height, int32 [2]; an error where a header ends before them."""
    return tf.reduce_prod(tf.abs(tf.cast(tf.ensure_shape(sides, [2]), tf.int64)))


def _gif(image: tf.Tensor) -> tf.Tensor:
    """Walks the blocks as https://www.w3.org/Graphics/GIF/spec-gif89a.txt lays them out."""
    data = tf.cast(tf.io.decode_raw(image, tf.uint8), tf.int32)
    # Zeros behind the end: whoever reads there stops soon.
    data = tf.concat([data, tf.zeros([16], tf.int32)], axis=0)
    end = tf.size(data) - 16

    def table(flags: tf.Tensor) -> tf.Tensor:
        """Bytes of a colour table."""
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def within(at, inside, pixels, step):
        known = (data[at] == _EXTENSION) | (data[at] == _FRAME)
        return (at < end) & (inside | known) & (step < _MOST_GIF_STEPS)

    def advance(at, inside, pixels, step):
        frame = ~inside & (data[at] == _FRAME)
        block = tf.cast(data[at : at + 10], tf.int64)
        area = (block[5] + 256 * block[6]) * (block[7] + 256 * block[8])
        # A sub-block is a length and so many bytes; one of none ends them. Before them an extension
        # has its label, a frame its descriptor, its own colour table and the size of its codes.
        start = tf.where(frame, 11 + table(data[at + 9]), 2)
        at_next = tf.minimum(at + tf.where(inside, 1 + data[at], start), end)
        goes_on = ~inside | (data[at] != 0)
        return at_next, goes_on, pixels + tf.where(frame, area, 0), step + 1

    start = tf.minimum(13 + table(data[10]), end)
    _, _, pixels, steps = tf.while_loop(
        within, advance, (start, tf.constant(False), tf.constant(0, tf.int64), tf.constant(0))
    )
    screen = (data[6] + 256 * data[7]), (data[8] + 256 * data[9])
    pixels = tf.maximum(pixels, tf.reduce_prod(tf.cast(screen, tf.int64)))
    return tf.where(steps < _MOST_GIF_STEPS, pixels, 0)


_EXTENSION, _FRAME = 0x21, 0x2C


def _at(image: tf.Tensor, start: int, length: int) -> tf.Tensor:
    """So many bytes from `start` on, fewer where the image ends."""
    position = tf.minimum(start, tf.strings.length(image))
    return tf.strings.substr(image, position, length)
