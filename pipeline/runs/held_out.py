"""Image files that a model has never learned from, to try it on."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

from base.errors import UserError
from components.image_example_gen.report import IngestionReport
from records import features
from storage.file_systems import is_remote, load_plugins


def test_images(examples_uri: str) -> list[tuple[Path, str]]:
    """The files and classes of the test split.

    Args:
        examples_uri: Of ImageExampleGen's examples.

    Raises:
        UserError: They are not on this machine.
    """
    import tensorflow as tf

    load_plugins(examples_uri)
    data_root = IngestionReport.read(examples_uri).root
    if is_remote(data_root):
        raise UserError(
            f"--held-out sends files of this machine, and the images are in {data_root}; copy some "
            "here and name them instead"
        )
    root = Path(data_root)
    files = tf.io.gfile.glob(f"{examples_uri}/Split-{features.TEST}/*")
    images = []
    for record in tf.data.TFRecordDataset(sorted(files), compression_type="GZIP"):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        source, label = (
            feature[name].bytes_list.value[0] for name in (features.SOURCE, features.LABEL)
        )
        images.append((root / os.fsdecode(source), label.decode("utf-8", "replace")))
    return sorted(images)


def draw_pairs(
    images: Sequence[tuple[Path, str]], count: int, seed: int = 0
) -> list[tuple[Path, Path, bool]]:
    """Pairs of files, in turn of the same class and of two; fewer where there are fewer.

    Args:
        images: Files and their classes.
        count: How many pairs.
        seed: Of the draw.

    Returns:
        Left, right, and whether both are of the same class.
    """
    rng = random.Random(seed)
    shuffled = rng.sample(list(images), len(images))
    by_kind: dict[bool, list[tuple[Path, Path, bool]]] = {True: [], False: []}
    for i, (left, label) in enumerate(shuffled):
        for right, other in shuffled[i + 1 :]:
            kind = by_kind[label == other]
            if len(kind) < count and not any(left in pair or right in pair for pair in kind):
                kind.append((left, right, label == other))
    in_turn = [pair for both in zip(by_kind[True], by_kind[False]) for pair in both]  # noqa: B905
    return in_turn[:count]


def draw_images(
    images: Sequence[tuple[Path, str]], count: int, seed: int = 0
) -> list[tuple[Path, str]]:
    """Files and their classes, `count` or all there are."""
    return random.Random(seed).sample(list(images), min(count, len(images)))
