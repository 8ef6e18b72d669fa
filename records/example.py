"""Makes `tf.train.Example` protos, the records of all components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf


def make_example(
    texts: Mapping[str, Sequence[bytes]], numbers: Mapping[str, Sequence[int]]
) -> tf.train.Example:
    """Return an example with the given bytes features and int64 features, by name."""
    feature = {
        **{
            name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
            for name, values in texts.items()
        },
        **{
            name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
            for name, values in numbers.items()
        },
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))
