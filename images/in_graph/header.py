"""What a file's header asks for before the pixels mean what they mean to `images.canonical`.

The graph turns images by EXIF and blends transparency with white. What it can only decode to other
pixels than `canonical_image` does is refused with a reason, so that no way in gives another answer.

Headers are read without errors, in the signature's own graph: one that raises would fail its whole
batch, and in a dataset, which may drop errors, each request pays for every operation.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

import tensorflow as tf

from images.bit_depth import FLOAT_CHUNK, HEADER_END
from images.in_graph import exif, icc
from images.in_graph.bytes_of import bytes_at, called, integers_at, text_at
from images.in_graph.gif import read_gif

_MOST_BLOCKS = 1000
"""Segments of a JPEG or chunks of a PNG before the pixels."""

_MOST_PROFILE_BYTES = 16_000
"""Of a packed profile: one of sRGB takes 3 KB at most, and zlib could unpack it to 16 MB."""


class Refusal(IntEnum):
    """Why the graph gives no answer; the names in lower case are what clients read."""

    CANNOT_BE_DECODED = 0  # the default of whatever failed
    NONE = 1
    EMPTY = 2
    UNKNOWN_FORMAT = 3
    TOO_MANY_PIXELS = 4
    COLOUR_PROFILE = 5
    CMYK = 6
    TRANSPARENCY = 7
    SEVERAL_FRAMES = 8
    METADATA_AFTER_PIXELS = 9

    @property
    def text(self) -> str:
        """The name for clients; empty for NONE."""
        return "" if self is Refusal.NONE else self.name.lower()


class Header(NamedTuple):
    """What is to be done to the decoded pixels of an image, or of n images.

    Attributes:
        refusal: A `Refusal`, int32.
        pixels: Number that decoding allocates, int64.
        orientation: By EXIF, 1 to 8, int32.
        transparent: Whether there is transparency to blend, bool.
        deep: Whether it is a PNG of 16 bits a value, bool.
        packed_profile: The chunk iCCP of a PNG, which `upright` checks; string.
        grey: Whether the image is grey; bool.
    """

    refusal: tf.Tensor
    pixels: tf.Tensor
    orientation: tf.Tensor
    transparent: tf.Tensor
    deep: tf.Tensor
    packed_profile: tf.Tensor
    grey: tf.Tensor


@tf.function(
    input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int64)],
    autograph=False,
)
def read_headers(images: tf.Tensor, max_pixels: tf.Tensor) -> Header:
    """Return what the headers of n encoded images say, without errors.

    Args:
        images: string [n].
        max_pixels: Height times width of the largest image that is not refused, int64 [].
    """
    start = text_at(images, 0, 8)
    formats = [
        (text_at(images, 0, 3) == b"\xff\xd8\xff", _jpeg),
        (start == b"\x89PNG\r\n\x1a\n", _png),
        (text_at(images, 0, 4) == b"GIF8", _gif),
        (text_at(images, 0, 2) == b"BM", _bmp),
    ]
    default = tf.where(start == b"", int(Refusal.EMPTY), int(Refusal.UNKNOWN_FORMAT))
    zeros, no = tf.zeros_like(default), tf.zeros_like(default, tf.bool)
    none = tf.fill(tf.shape(images), b"")
    header = Header(default, tf.cast(zeros, tf.int64), zeros + 1, no, no, none, no)
    for which, read in formats:
        found = read(images, which)
        header = header._replace(
            **{name: tf.where(which, new, getattr(header, name)) for name, new in found.items()}
        )
    refusal = tf.where(header.pixels > max_pixels, int(Refusal.TOO_MANY_PIXELS), header.refusal)
    return header._replace(refusal=refusal)


@called
def upright(image: tf.Tensor, header: Header) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the file itself, or a BMP or PNG of its upright pixels on white; and its `Refusal`.

    Only for images that `needs_more` than decoding.

    Args:
        image: An encoded image that is not refused, string [].
        header: Its header.

    Raises:
        tf.errors.OpError: The image cannot be decoded.
    """

    def deep() -> tf.Tensor:
        values = tf.io.decode_png(image, channels=0, dtype=tf.uint16)
        return tf.io.encode_png(exif.turned(values, header.orientation))

    def eight_bits() -> tf.Tensor:
        pixels = tf.case(
            [
                (header.transparent, lambda: _on_white(tf.io.decode_png(image, channels=4))),
                # As OpenCV decodes it for the canonical image.
                (
                    text_at(image, 0, 2) == b"\xff\xd8",
                    lambda: tf.io.decode_jpeg(image, 3, dct_method="INTEGER_ACCURATE"),
                ),
            ],
            default=lambda: tf.io.decode_png(image, channels=3),
        )
        return _bmp_of(exif.turned(tf.ensure_shape(pixels, [None, None, 3]), header.orientation))

    profile = tf.cond(
        header.packed_profile == b"", lambda: b"", lambda: _unpacked(header.packed_profile)
    )
    other = (header.packed_profile != b"") & icc.changes_colours(profile, header.grey)
    refusal = tf.where(other, int(Refusal.COLOUR_PROFILE), int(Refusal.NONE))
    made = tf.cond(
        (header.transparent | (header.orientation > 1)) & ~other,
        lambda: tf.cond(header.deep, deep, eight_bits),
        lambda: image,
    )
    return made, refusal


def needs_more(header: Header) -> tf.Tensor:
    """Return whether an image needs `upright`: bool []."""
    return header.transparent | (header.orientation > 1) | (header.packed_profile != b"")


def _bmp_of(pixels: tf.Tensor) -> tf.Tensor:
    """Return RGB uint8 [h, w, 3] as a BMP, string []; a PNG takes ten times as long."""
    height, width = tf.unstack(tf.shape(pixels)[:2])
    rows = tf.reshape(tf.reverse(pixels, [2]), [height, 3 * width])  # BGR
    rows = tf.pad(rows, [[0, 0], [0, -3 * width % 4]])
    header = [54 + tf.size(rows), 0, 54, 40, width, -height, 1 + (24 << 16), 0, tf.size(rows)]
    numbers = tf.bitcast(tf.stack([*header, 0, 0, 0, 0]), tf.uint8)  # -height: from the top
    data = tf.concat([tf.reshape(numbers, [-1]), tf.reshape(rows, [-1])], axis=0)
    # No operation makes a string of bytes, but a serialized tensor ends with its content.
    serialized = tf.io.serialize_tensor(data)
    content = tf.strings.substr(serialized, -tf.size(data), tf.size(data))
    return tf.strings.join([b"BM", content])


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
    """Return RGBA uint8 [h, w, 4] on white, RGB uint8 [h, w, 3], rounded as Pillow does."""
    colours, alpha = tf.cast(pixels[..., :3], tf.uint16), tf.cast(pixels[..., 3:], tf.uint16)
    sums = colours * alpha + 255 * (255 - alpha) + 128
    eight = tf.constant(8, tf.uint16)
    shift = tf.bitwise.right_shift
    return tf.cast(shift(sums + shift(sums, eight), eight), tf.uint8)


def _first(*conditions: tuple[tf.Tensor, Refusal]) -> tf.Tensor:
    """Return the `Refusal` of the first condition that holds, int32 [n]."""
    result = tf.constant(int(Refusal.NONE))
    for condition, refusal in reversed(conditions):
        result = tf.where(condition, int(refusal), result)
    return result


def _of_some(
    which: tf.Tensor, function: Callable[..., tf.Tensor], otherwise: int, *values: tf.Tensor
) -> tf.Tensor:
    """Return a function's numbers for some of n images, int32 [n]."""
    chosen = tuple(tf.boolean_mask(each, which) for each in values)
    found = tf.map_fn(
        lambda each: tf.cast(function(*each), tf.int32), chosen, fn_output_signature=tf.int32
    )
    default = tf.fill(tf.shape(which), otherwise)
    return tf.tensor_scatter_nd_update(default, tf.where(which), found)


def _area(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    return tf.abs(tf.cast(height, tf.int64)) * tf.abs(tf.cast(width, tf.int64))


def _jpeg(images: tf.Tensor, which: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return parts of `Header`, from the segments up to the first scan: ITU T.81, annex B."""

    def before_scan(step, done, *_):
        return ~tf.reduce_all(done) & (step < _MOST_BLOCKS)

    def advance(step, done, at, exif_at, components, area, profile_at, profiles):
        head = bytes_at(images, at, 16)
        kind, length = head[:, 1], 256 * head[:, 2] + head[:, 3]
        done |= (head[:, 0] != 0xFF) | (kind == 0xDA)
        is_frame = (kind >= 0xC0) & (kind <= 0xCF) & (kind % 4 != 0) | (kind == 0xC0)
        is_exif = (kind == 0xE1) & tf.reduce_all(head[:, 4:10] == [*b"Exif\0\0"], axis=1)
        is_profile = (kind == 0xE2) & tf.reduce_all(head[:, 4:] == [*b"ICC_PROFILE\0"], axis=1)
        is_frame, is_exif, is_profile = (each & ~done for each in (is_frame, is_exif, is_profile))
        size = _area(256 * head[:, 5] + head[:, 6], 256 * head[:, 7] + head[:, 8])
        return (
            step + 1,
            done,
            # Any number of FF precede a marker.
            at + tf.where(done, 0, tf.where(kind == 0xFF, 1, 2 + length)),
            tf.where(is_exif & (exif_at == 0), at, exif_at),
            tf.where(is_frame, head[:, 9], components),
            tf.where(is_frame, tf.maximum(size, area), area),
            tf.where(is_profile, at, profile_at),
            profiles + tf.cast(is_profile, tf.int32),
        )

    zeros = tf.zeros_like(which, tf.int32)
    start = (tf.constant(0), ~which, zeros + 2, zeros, zeros, tf.cast(zeros, tf.int64))
    _, done, _, exif_at, components, area, profile_at, profiles = tf.while_loop(
        before_scan, advance, (*start, zeros, zeros)
    )
    grey = components == 1
    profile = text_at(images, profile_at + 18, 2**16)
    other = _of_some(profiles == 1, icc.changes_colours, 0, profile, grey) == 1
    return {
        "refusal": _first(
            ((area == 0) | ~done, Refusal.CANNOT_BE_DECODED),
            (components == 4, Refusal.CMYK),
            (other | (profiles > 1), Refusal.COLOUR_PROFILE),
        ),
        "pixels": area,
        "orientation": _of_some(
            exif_at > 0, exif.orientation, 1, text_at(images, exif_at + 10, 2**16)
        ),
    }


def _png(images: tf.Tensor, which: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return parts of `Header`, from the chunks up to the pixels.

    Source: https://www.w3.org/TR/png-3/#5Chunk-layout.
    """

    def before_pixels(step, done, *_):
        return ~tf.reduce_all(done) & (step < _MOST_BLOCKS)

    def advance(step, done, at, exif_at, trns, frames, profile_at):
        length, kind = integers_at(images, at, 1)[:, 0], text_at(images, at + 4, 4)
        damaged = (length < 0) | (length > 2**30)
        done |= damaged | (kind == b"IDAT") | (kind == b"IEND") | (kind == b"")
        return (
            step + 1,
            done,
            at + tf.where(done, 0, 12 + length),
            tf.where(~done & (kind == b"eXIf"), at, exif_at),
            trns | (~done & (kind == b"tRNS")),
            frames | (~done & (kind == b"acTL")),
            tf.where(~done & (kind == b"iCCP"), at, profile_at),
        )

    zeros, no = tf.zeros_like(which, tf.int32), tf.zeros_like(which)
    _, done, _, exif_at, trns, frames, profile_at = tf.while_loop(
        before_pixels, advance, (tf.constant(0), ~which, zeros + 8, zeros, no, no, zeros)
    )
    width, height = tf.unstack(integers_at(images, 16, 2), axis=1)
    depth, colours = tf.unstack(bytes_at(images, 24, 2), axis=1)
    grey, deep = (colours == 0) | (colours == 4), depth == 16
    floats = text_at(images, HEADER_END + 4, 4) == FLOAT_CHUNK
    transparent = ((colours == 4) | (colours == 6) | trns) & ~floats
    # Canonical images ignore the profile of deep grey ones, and a single transparent grey in them.
    has_profile = (profile_at > 0) & ~(deep & grey) & ~floats
    profile_size = tf.where(has_profile, integers_at(images, profile_at, 1)[:, 0], 0)
    # A chunk after the pixels that turns the image: in packed pixels the four bytes are rare.
    late = tf.strings.regex_full_match(tf.where(which, images, b""), rb"\C*IDAT\C*eXIf\C*")
    turns = _of_some(exif_at > 0, exif.orientation, 1, text_at(images, exif_at + 8, 2**16))
    return {
        "refusal": _first(
            (text_at(images, 12, 4) != b"IHDR", Refusal.UNKNOWN_FORMAT),
            (~done, Refusal.CANNOT_BE_DECODED),
            (frames, Refusal.SEVERAL_FRAMES),
            (transparent & deep & (colours != 0), Refusal.TRANSPARENCY),
            (trns & (depth < 8) & (colours == 0), Refusal.TRANSPARENCY),
            (profile_size > _MOST_PROFILE_BYTES, Refusal.COLOUR_PROFILE),
            (late, Refusal.METADATA_AFTER_PIXELS),
        ),
        "pixels": _area(height, width),
        "orientation": tf.where(floats, 1, turns),
        "transparent": transparent & ~deep,
        "deep": deep,
        "packed_profile": text_at(images, profile_at + 8, profile_size),
        "grey": grey,
    }


def _gif(images: tf.Tensor, which: tf.Tensor) -> dict[str, tf.Tensor]:
    """The first frame must fill the screen: canonical images have white elsewhere."""
    chosen, places = tf.boolean_mask(images, which), tf.where(which)
    pixels, whole = tf.map_fn(read_gif, chosen, fn_output_signature=(tf.int64, tf.bool))
    shape = tf.shape(images, tf.int64)
    pixels = tf.scatter_nd(places, pixels, shape)
    whole = tf.scatter_nd(places, whole, shape)
    refusal = _first((pixels == 0, Refusal.UNKNOWN_FORMAT), (~whole, Refusal.TRANSPARENCY))
    return {"refusal": refusal, "pixels": pixels}


def _bmp(images: tf.Tensor, which: tf.Tensor) -> dict[str, tf.Tensor]:
    """TensorFlow takes palettes for grey, and reads no compression."""
    head = bytes_at(images, 14, 20)  # size of the header, width, height, planes, bits, compression
    plain = tf.reduce_all(head[:, 14:20] == [24, 0, 0, 0, 0, 0], axis=1) & (head[:, 0] >= 40)
    scale = tf.constant([1, 256, 65536, 2**24])  # overflows to the sign
    width, height = (tf.reduce_sum(head[:, i : i + 4] * scale, axis=1) for i in (4, 8))
    return {
        "refusal": _first((~plain, Refusal.UNKNOWN_FORMAT)),
        "pixels": _area(height, width),
    }


def _unpacked(chunk: tf.Tensor) -> tf.Tensor:
    """Return the profile in a chunk iCCP: a name, a zero, the method and packed bytes."""
    name = bytes_at(chunk, 0, 80)
    start = tf.cast(tf.argmax(tf.cast(name == 0, tf.int32)), tf.int32) + 2
    return tf.io.decode_compressed(text_at(chunk, start, _MOST_PROFILE_BYTES), "ZLIB")
