"""Recognizes ICC profiles of sRGB in the graph, which cannot convert from any other.

Source: ICC.1:2022, https://www.color.org/specification/ICC.1-2022-05.pdf, sections 7.2, 7.3, 10.6,
10.18.
"""

from __future__ import annotations

import tensorflow as tf

from images.in_graph.bytes_of import bytes_at, called, integers_at, text_at

_PRIMARIES = {  # IEC 61966-2-1, adapted to D50
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""Gamma, a, b, c, d: y = (a x + b)^gamma from d on, c x below."""

_PROBES = {0.25: 0.05088, 0.5: 0.21404, 0.75: 0.52252}
"""Values of the curve."""

_TOLERANCE = 0.003
_MOST_TAGS = 64


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
    count = integers_at(profile, 128, 1)[0]
    tags = tf.reshape(integers_at(profile, 132, 3 * _MOST_TAGS), [_MOST_TAGS, 3])
    names, starts = tags[:, 0], tf.maximum(tags[:, 1], 0)

    def start(name: bytes) -> tf.Tensor:
        """Return a tag's offset; 0 if it is missing."""
        is_it = (names == int.from_bytes(name, "big")) & (tf.range(_MOST_TAGS) < count)
        return tf.reduce_max(tf.where(is_it, starts, 0))

    # Tables of colours would come before primaries and curves.
    same = [start(b"A2B0") == 0, start(b"A2B1") == 0]
    same += [_close(_fixed(profile, start(n) + 8, 3), xyz) for n, xyz in _PRIMARIES.items()]
    same += [_has_curve(profile, start(name)) for name in (b"rTRC", b"gTRC", b"bTRC")]
    return tf.reduce_all(tf.stack(same))


def _has_curve(profile: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    kind = text_at(profile, start, 4)
    size = tf.clip_by_value(integers_at(profile, start + 8, 1)[0], 1, 2**16)
    probed = []
    for place in _PROBES:
        index = tf.cast(tf.round(place * tf.cast(size - 1, tf.float32)), tf.int32)
        high, low = tf.unstack(bytes_at(profile, start + 12 + 2 * index, 2))
        probed.append(tf.cast(256 * high + low, tf.float32) / 65535)
    is_table = (kind == b"curv") & (size >= 256) & _close(tf.stack(probed), (*_PROBES.values(),))
    of_five = (kind == b"para") & (text_at(profile, start + 8, 2) == b"\0\3")
    return is_table | (of_five & _close(_fixed(profile, start + 12, 5), _CURVE))


def _close(values: tf.Tensor, to: tuple[float, ...]) -> tf.Tensor:
    return tf.reduce_all(tf.abs(values - tf.constant(to)) <= _TOLERANCE)


def _fixed(text: tf.Tensor, start: tf.Tensor, count: int) -> tf.Tensor:
    """Return s15Fixed16 numbers as float32 [count]."""
    return tf.cast(integers_at(text, start, count), tf.float32) / 65536
