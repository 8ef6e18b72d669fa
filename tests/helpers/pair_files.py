"""Pair-block files for tests, as PairGen writes them, of images made on the spot."""

import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf
from sample_images import picture

from images.bit_depth import encode
from records import features
from records.example import make_example
from records.pair_block import pair_block
from records.pair_sampling import class_balanced, held_out_pairs


def transformed(
    label: int, number: int, size: int = 16, spread: int = 110, fold: int = features.NO_FOLD
) -> tf.train.Example:
    """A transformed record of `images.picture`."""
    pixels = np.asarray(picture(label, number, size, spread), "uint8")
    source = f"class-{label}/{number}.png".encode()
    return make_example(
        {
            features.PIXELS: [tf.io.serialize_tensor(pixels).numpy()],
            features.LABEL: [f"class-{label}".encode()],
            features.IMAGE_ID: [hashlib.sha256(source).hexdigest()[:16].encode()],
            features.GROUP: [hashlib.sha256(source).hexdigest()[:16].encode()],
            features.SOURCE: [source],
            features.CONTENT_HASH: [hashlib.sha256(pixels.tobytes()).hexdigest().encode()],
        },
        {features.FOLD: [fold]},
    )


def write_blocks(path: Path, records, blocks) -> str:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for block in blocks:
            images = [_with_png(records[i]) for i in block.images]
            writer.write(pair_block(images, block.left, block.right).SerializeToString())
    return str(path)


def _with_png(record: tf.train.Example) -> tf.train.Example:
    """A copy, as `pair_block` takes it."""
    copy = tf.train.Example.FromString(record.SerializeToString())
    [pixels] = copy.features.feature.pop(features.PIXELS).bytes_list.value
    image = copy.features.feature[features.IMAGE].bytes_list.value
    image.append(encode(tf.io.parse_tensor(pixels, tf.uint8).numpy()))
    return copy


def write_splits(
    folder: Path, classes: int = 3, each: int = 6, passes: int = 2, **picture_options
) -> tuple[list[str], list[str]]:
    """Training blocks and validation pairs, of different images; returns their files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for split, start in (("train", 0), ("validation", 1000)):
        numbered = [(c, n) for c in range(classes) for n in range(start, start + each)]
        records = [transformed(c, n, **picture_options) for c, n in numbered]
        labels = [b"%d" % c for c, _ in numbered]
        blocks = (
            class_balanced(labels, classes, 2, passes, seed=0)
            if split == "train"
            else held_out_pairs(labels, 4, 100, seed=0)
        )
        files.append([write_blocks(folder / f"{split}.tfrecord", records, blocks)])
    return files[0], files[1]


def write_folds(
    folder: Path, classes: int = 3, each: int = 9, folds: int = 3, **picture_options
) -> list[str]:
    """Training blocks of images in folds; returns their files."""
    folder.mkdir(parents=True, exist_ok=True)
    numbered = [(c, n) for c in range(classes) for n in range(each)]
    records = [transformed(c, n, fold=n % folds, **picture_options) for c, n in numbered]
    blocks = class_balanced([b"%d" % c for c, _ in numbered], classes, 2, 2, seed=0)
    return [write_blocks(folder / "train.tfrecord", records, blocks)]
