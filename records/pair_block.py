"""The record that PairGen writes: a pair block, a `tf.train.Example`.

A block has m images, each once, and p pairs as indices into them. A plain pair is a block of two
images. For images a, b of class "cat" and c of class "dog", with all pairs:

    image         bytes [3]   PNGs of the transformed images' pixels
    label         bytes [3]   cat, cat, dog
    image_id      bytes [3]
    source        bytes [3]
    content_hash  bytes [3]
    group         bytes [3]
    fold          int64 [3]
    left          int64 [3]   0, 0, 1
    right         int64 [3]   1, 2, 2
    target        int64 [3]   1, 0, 0
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from records import features
from records.example import make_example

_OF_EACH_IMAGE = (
    features.IMAGE,
    features.LABEL,
    features.IMAGE_ID,
    features.SOURCE,
    features.CONTENT_HASH,
    features.GROUP,
)


def pair_block(
    images: Sequence[tf.train.Example], left: Sequence[int], right: Sequence[int]
) -> tf.train.Example:
    """Return a pair block.

    Args:
        images: m transformed records (`features.TRANSFORMED_RECORD`), with `features.IMAGE`, a PNG
            of their pixels, in place of `features.PIXELS`.
        left: For each of p pairs, the index of its left image in `images`.
        right: The same for its right image.
    """
    columns = {
        name: [image.features.feature[name].bytes_list.value[0] for image in images]
        for name in _OF_EACH_IMAGE
    }
    folds = [image.features.feature[features.FOLD].int64_list.value[0] for image in images]
    labels = columns[features.LABEL]
    target = [int(labels[a] == labels[b]) for a, b in zip(left, right, strict=True)]
    return make_example(
        columns,
        {
            features.FOLD: folds,
            features.LEFT: left,
            features.RIGHT: right,
            features.TARGET: target,
        },
    )
