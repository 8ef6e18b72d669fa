"""Recognizes ICC profiles of sRGB in the graph, which cannot convert from any other.

Source: ICC.1:2022, https://www.color.org/specification/ICC.1-2022-05.pdf, sections 7.2, 7.3, 10.6,
10.18.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from images.in_graph.bytes_of import Bytes, called, text_at

_PRIMARIES = {  # IEC 61966-2-1, adapted to D50
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
_TABLES = (b"A2B0", b"A2B1")
_TAGS = (*_TABLES, *_PRIMARIES, b"rTRC", b"gTRC", b"bTRC")
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""Gamma, a, b, c, d: y = (a x + b)^gamma from d on, c x below."""

_PROBES = {0.25: 0.05088, 0.5: 0.21404, 0.75: 0.52252}
"""Values of the curve."""

_TOLERANCE = 0.003
_MOST_TAGS = 64
_TAG_TABLE = [[132 + 12 * tag + 4 * number for number in range(3)] for tag in range(_MOST_TAGS)]
"""Where the name, the offset and the size of each tag are."""


@called
def changes_colours(profile: tf.Tensor, grey: tf.Tensor) -> tf.Tensor:
    """Return whether a profile makes other colours of an image: bool []; in doubt it does.

    Args:
        profile: string [].
        grey: Whether the image is grey, bool [].
    """
    space = text_at(profile, 16, 4)
    is_rgb, is_grey, is_cmyk = (space == name for name in (b"RGB ", b"GRAY", b"CMYK"))
    # A profile of another space than the image's counts as none.
    return tf.where(grey, ~(is_rgb | is_cmyk), ~(is_grey | is_cmyk | (is_rgb & _is_srgb(profile))))


def _is_srgb(profile: tf.Tensor) -> tf.Tensor:
    values = Bytes(profile)
    tags = values.integers(tf.constant(_TAG_TABLE))
    names, listed = tags[:, 0], [*range(_MOST_TAGS)] < values.integers(tf.constant(128))
    is_it = (names == tf.constant([_as_integer(name) for name in _TAGS])[:, None]) & listed
    inside = tf.clip_by_value(tags[:, 1], 0, values.size)
    starts = tf.reduce_max(tf.where(is_it, inside, 0), axis=1)  # 0 if a tag is missing
    tables, primaries, curves = tf.split(starts, [len(_TABLES), len(_PRIMARIES), 3])
    found = _fixed(values, primaries + 8, 3)
    # Tables of colours would come before primaries and curves.
    return (
        tf.reduce_all(tables == 0)
        & tf.reduce_all(_close(found, [*_PRIMARIES.values()]))
        & tf.reduce_all(_has_curve(values, curves))
    )


def _has_curve(values: Bytes, starts: tf.Tensor) -> tf.Tensor:
    """Return whether curves at `starts`, int32 [k], are that of sRGB: bool [k]."""
    kinds = values.integers(starts)
    sizes = tf.clip_by_value(values.integers(starts + 8), 1, 2**16)
    last = tf.cast(sizes - 1, tf.float32)
    probes = tf.cast(tf.round(tf.expand_dims(last, -1) * tf.constant([*_PROBES])), tf.int32)
    table = (
        tf.cast(values.integers(tf.expand_dims(starts + 12, -1) + 2 * probes, 2), tf.float32)
        / 65535
    )
    is_table = (kinds == _as_integer(b"curv")) & (sizes >= 256) & _close(table, [*_PROBES.values()])
    of_five = (kinds == _as_integer(b"para")) & (values.integers(starts + 8, 2) == 3)
    return is_table | (of_five & _close(_fixed(values, starts + 12, 5), _CURVE))


def _close(found: tf.Tensor, to: Sequence[float] | Sequence[Sequence[float]]) -> tf.Tensor:
    return tf.reduce_all(tf.abs(found - tf.constant(to)) <= _TOLERANCE, axis=-1)


def _fixed(values: Bytes, starts: tf.Tensor, count: int) -> tf.Tensor:
    """Return s15Fixed16 numbers from each start on: float32 [..., count]."""
    numbers = values.integers(tf.expand_dims(starts, -1) + [4 * i for i in range(count)])
    return tf.cast(numbers, tf.float32) / 65536


def _as_integer(name: bytes) -> int:
    return int.from_bytes(name, "big")
