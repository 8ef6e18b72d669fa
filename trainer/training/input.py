"""Reads PairGen's pair blocks into batches for `Siamese.fit`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from records import features
from trainer.settings import Size, pixel_shape


def training_blocks(
    files: Sequence[str],
    image_size: Size,
    blocks_per_step: int,
    seed: int,
    shuffle_buffer: int = 256,
    two_passes: bool = False,
    shard: tuple[int, int, int] | None = None,
    skip: int = 0,
) -> tf.data.Dataset:
    """Return an endless dataset of batches; the blocks of a batch are joined into one.

    The blocks are reshuffled for each epoch, by the seed alone: a resumed training skips what it
    was trained on and continues with the same batches as an uninterrupted one.

    Args:
        files: TFRecords of pair blocks (`records.pair_block`).
        image_size: Height and width in pixels.
        blocks_per_step: Blocks joined into one batch; an epoch's last batch may hold fewer.
        seed: For the shuffling.
        shuffle_buffer: Blocks to draw the next one from.
        two_passes: Repeat an image for each pair that it is in, all left ones first
            (`training.article.two_passes`).
        shard: Number of shards, index of this one, and full batches per epoch that it yields.
            None reads everything.
        skip: Batches to skip at the start.

    Returns:
        Dataset of (x, y): x is uint8 [m, height, width, 3]; y a dict of `class` int32 [m] (equal
        for equal labels within the batch), and `left`, `right`, `target`, int64 [p] each.
    """
    records = tf.data.TFRecordDataset(sorted(files))
    blocks = records.shuffle(shuffle_buffer, seed=seed, reshuffle_each_iteration=True)
    if shard is None:
        batches = blocks.batch(blocks_per_step)
    else:
        count, index, most = shard
        blocks = blocks.shard(count, index)
        batches = blocks.batch(blocks_per_step, drop_remainder=True).take(most)
    joined = (
        batches.repeat().skip(skip).map(_joined(image_size), num_parallel_calls=tf.data.AUTOTUNE)
    )
    return (joined.map(_sides) if two_passes else joined).prefetch(1)


@functools.lru_cache
def _joined(image_size: Size) -> Callable[[tf.Tensor], Any]:
    """Return `_join` as a graph function, traced once for all folds and trials of this process."""
    return tf.function(
        lambda serialized: _join(serialized, image_size),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def _join(serialized: tf.Tensor, image_size: Size) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    parsed = tf.io.parse_example(
        serialized,
        {
            features.IMAGE: tf.io.RaggedFeature(tf.string),
            features.LABEL: tf.io.RaggedFeature(tf.string),
            features.LEFT: tf.io.RaggedFeature(tf.int64),
            features.RIGHT: tf.io.RaggedFeature(tf.int64),
            features.TARGET: tf.io.RaggedFeature(tf.int64),
        },
    )
    # A pair's indices count from its own block's first image.
    first_image = tf.cast(parsed[features.IMAGE].row_starts(), tf.int64)[:, None]
    y = {
        "class": tf.unique(parsed[features.LABEL].values).idx,
        "left": (parsed[features.LEFT] + first_image).values,
        "right": (parsed[features.RIGHT] + first_image).values,
        "target": parsed[features.TARGET].values,
    }
    return decode_pngs(parsed[features.IMAGE].values, image_size), y


def _sides(x: tf.Tensor, y: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    images = tf.concat([y["left"], y["right"]], axis=0)
    pairs = tf.shape(y["left"], tf.int64)[0]
    return tf.gather(x, images), {
        "class": tf.gather(y["class"], images),
        "left": tf.range(pairs),
        "right": tf.range(pairs) + pairs,
        "target": y["target"],
    }


def decode_pngs(encoded: tf.Tensor, image_size: Size) -> tf.Tensor:
    """Return uint8 [n, height, width, 3] of PNGs, string [n]."""
    shape = pixel_shape(image_size)
    return tf.map_fn(
        lambda one: tf.ensure_shape(tf.io.decode_png(one), shape),
        encoded,
        fn_output_signature=tf.TensorSpec(shape, tf.uint8),
    )
