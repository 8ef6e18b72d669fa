"""Writes images of one split as blocks like those of another, to train on both."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from images.bit_depth import encode
from records import features
from records.example import make_example
from records.pair_block import pair_block
from records.pair_sampling import class_balanced, random_partners
from trainer.training.images import Blocks, Images


def write_blocks_like(blocks: Blocks, images: Images, file: Path, seed: int) -> str:
    """Write class-balanced blocks, or plain pairs if `blocks` are; return the file's path.

    The blocks are about as large as the others, and each image is drawn as often as theirs are.

    Args:
        blocks: The others.
        images: n images of two classes or more.
        file: A TFRecord.
        seed: Of the draw.

    Raises:
        DataError: The images make no pair of the same class, or none of different classes.
    """
    labels = [str(label).encode() for label in images.labels]
    passes = round(blocks.images / sum(map(len, blocks.members.values())))
    if blocks.most_images == 2:
        sampled = random_partners(labels, max(1, passes // 2), seed)
    else:
        classes = max(2, min(blocks.most_classes, blocks.most_images // 2))
        each = max(2, blocks.most_images // classes)
        sampled = class_balanced(labels, classes, each, passes, seed)
    records = [_record(images, place) for place in range(len(labels))]
    file.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for block in sampled:
            chosen = [records[i] for i in block.images]
            writer.write(pair_block(chosen, block.left, block.right).SerializeToString())
    return str(file)


def _record(images: Images, place: int) -> tf.train.Example:
    return make_example(
        {
            features.IMAGE: [encode(images.pixels[place])],
            features.LABEL: [str(images.labels[place]).encode()],
            features.IMAGE_ID: [images.ids[place]],
            features.SOURCE: [images.sources[place]],
            features.CONTENT_HASH: [images.content_hashes[place]],
            features.GROUP: [images.groups[place]],
        },
        {features.FOLD: [int(images.folds[place])]},
    )
