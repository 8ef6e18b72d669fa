"""Makes `tf.train.Example` protos, the records of all components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import tensorflow as tf


def make_example(
    texts: Mapping[str, Sequence[bytes]],
    numbers: Mapping[str, Sequence[int]],
    reals: Mapping[str, Sequence[float]] = MappingProxyType({}),
) -> tf.train.Example:
    """Return an example with the given bytes, int64 and float features, by name."""
    feature = {
        **{
            name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
            for name, values in texts.items()
        },
        **{
            name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
            for name, values in numbers.items()
        },
        **{
            name: tf.train.Feature(float_list=tf.train.FloatList(value=values))
            for name, values in reals.items()
        },
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))
