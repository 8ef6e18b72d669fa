"""Reads pair blocks, as PairGen writes them, into batches for `Siamese.fit`."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from components import features


def pair_blocks(
    files: Sequence[str], image_size: int, blocks_per_step: int, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Batches of pair blocks, joined as if they were one block.

    Args:
        files: Gzipped TFRecords of pair blocks (`components.pair_gen.pair_block`).
        image_size: Height and width in pixels of the images in them.
        blocks_per_step: Blocks joined into one batch; the last batch may hold fewer.
        shuffle_seed: Shuffles the blocks, anew for each epoch; None keeps their order.

    Returns:
        Dataset of (x, y): x is uint8 [m, size, size, 3]; y a dict of `class` int32 [m] (equal for
        equal labels within the batch), and `left`, `right`, `target`, int64 [p] each.
    """
    records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP")
    if shuffle_seed is not None:
        records = records.shuffle(_SHUFFLE_BUFFER, seed=shuffle_seed)
    return (
        records.batch(blocks_per_step)
        .map(lambda batch: _join(batch, image_size), num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(1)
    )


# Blocks are small when they are many (plain pairs) and few when they are large.
_SHUFFLE_BUFFER = 256


def _join(serialized: tf.Tensor, image_size: int) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    parsed = tf.io.parse_example(
        serialized,
        {
            features.PIXELS: tf.io.RaggedFeature(tf.string),
            features.LABEL: tf.io.RaggedFeature(tf.string),
            features.LEFT: tf.io.RaggedFeature(tf.int64),
            features.RIGHT: tf.io.RaggedFeature(tf.int64),
            features.TARGET: tf.io.RaggedFeature(tf.int64),
        },
    )
    # A pair's indices count from its own block's first image.
    first_image = tf.cast(parsed[features.PIXELS].row_starts(), tf.int64)[:, None]
    y = {
        "class": tf.unique(parsed[features.LABEL].values).idx,
        "left": (parsed[features.LEFT] + first_image).values,
        "right": (parsed[features.RIGHT] + first_image).values,
        "target": parsed[features.TARGET].values,
    }
    return parse_pixels(parsed[features.PIXELS].values, image_size), y


def parse_pixels(serialized: tf.Tensor, image_size: int) -> tf.Tensor:
    """Serialized tensors, string [n], to uint8 [n, size, size, 3]."""
    return tf.map_fn(
        lambda one: tf.ensure_shape(tf.io.parse_tensor(one, tf.uint8), (image_size, image_size, 3)),
        serialized,
        fn_output_signature=tf.TensorSpec((image_size, image_size, 3), tf.uint8),
    )
