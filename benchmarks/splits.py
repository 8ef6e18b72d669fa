"""Writes pair blocks from arrays, with the pipeline's sampling and records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from images.bit_depth import encode
from records import features
from records.example import make_example
from records.pair_block import pair_block
from records.pair_sampling import Block


def write_split(
    file: Path, pixels: np.ndarray, labels: Sequence[str], blocks: Iterator[Block]
) -> list[str]:
    """Write one split; return its files.

    Args:
        file: A TFRecord.
        pixels: uint8 [n, size, size, 3].
        labels: The class of each image.
        blocks: From a sampler of `records.pair_sampling`.
    """
    records = [
        make_example(
            {
                features.IMAGE: [encode(image)],
                features.LABEL: [str(label).encode()],
                features.IMAGE_ID: [digest[:16].encode()],
                features.GROUP: [digest[:16].encode()],
                features.SOURCE: [b"%d" % number],
                features.CONTENT_HASH: [digest.encode()],
            },
            {features.FOLD: [features.NO_FOLD]},
        )
        for number, (image, label) in enumerate(zip(pixels, labels, strict=True))
        for digest in [hashlib.sha256(image.tobytes()).hexdigest()]
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for block in blocks:
            images = [records[i] for i in block.images]
            writer.write(pair_block(images, block.left, block.right).SerializeToString())
    return [str(file)]


def as_bytes(labels: Sequence[str]) -> list[bytes]:
    """Return labels as the samplers take them."""
    return [str(label).encode() for label in labels]
