"""Reads the images of a split, each once, from its pair blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records import features
from trainer.settings import Size, pixel_shape


class Images(NamedTuple):
    """Images of a split.

    Attributes:
        pixels: uint8 [n, height, width, 3].
        labels: str [n], the classes.
        ids: bytes [n].
        sources: bytes [n], the files, relative to the data root.
        content_hashes: bytes [n], SHA-256 of the files, hexadecimal.
        groups: bytes [n], see `features.GROUP`.
        folds: int64 [n], see `features.FOLD`.
    """

    pixels: np.ndarray
    labels: np.ndarray
    ids: list[bytes]
    sources: list[bytes]
    content_hashes: list[bytes]
    groups: list[bytes]
    folds: np.ndarray

    def numbered_groups(self) -> np.ndarray:
        """Return the number of each image's group, int [n]."""
        return np.unique(np.array(self.groups), return_inverse=True)[1]

    def only(self, places: np.ndarray) -> Images:
        """Return the images at some indices, int [k]."""
        ids, sources, hashes, groups = (
            [column[i] for i in places.tolist()]
            for column in (self.ids, self.sources, self.content_hashes, self.groups)
        )
        return Images(
            self.pixels[places], self.labels[places], ids, sources, hashes, groups,
            self.folds[places],
        )  # fmt: skip


class HeldOut(NamedTuple):
    """Images and plain pairs of them.

    Attributes:
        images: n images.
        left: int64 [p], index of each pair's left image.
        right: int64 [p], the same of its right image.
        target: int64 [p], 1 if both are of the same class.
    """

    images: Images
    left: np.ndarray
    right: np.ndarray
    target: np.ndarray


class Blocks(NamedTuple):
    """Contents of a split's files, without the pixels.

    Attributes:
        blocks: Number of pair blocks.
        pairs: Number of pairs in all blocks.
        images: Number of images in all blocks; one in several blocks counts in each.
        most_images: Images of the block that has most.
        most_classes: Classes of the block that has most.
        largest: Size of the largest block in bytes.
        members: Sorted image ids by class.
        content_hashes: SHA-256 of the images' files, hexadecimal.
    """

    blocks: int
    pairs: int
    images: int
    most_images: int
    most_classes: int
    largest: int
    members: dict[str, list[bytes]]
    content_hashes: set[bytes]


def concatenated(one: Images, other: Images) -> Images:
    """Return the images of both."""
    return Images(
        np.concatenate([one.pixels, other.pixels]),
        np.concatenate([one.labels, other.labels]),
        one.ids + other.ids,
        one.sources + other.sources,
        one.content_hashes + other.content_hashes,
        one.groups + other.groups,
        np.concatenate([one.folds, other.folds]),
    )


def scan(files: Sequence[str]) -> Blocks:
    """Return the contents of the files.

    Args:
        files: TFRecords of pair blocks (`records.pair_block`).
    """
    count = pairs = images = most_images = most_classes = largest = 0
    members: dict[str, set[bytes]] = defaultdict(set)
    content_hashes: set[bytes] = set()
    for size, block in _read(files):
        count, pairs = count + 1, pairs + len(block[features.TARGET].int64_list.value)
        largest = max(largest, size)
        labels = block[features.LABEL].bytes_list.value
        images, most_images = images + len(labels), max(most_images, len(labels))
        most_classes = max(most_classes, len(set(labels)))
        content_hashes.update(block[features.CONTENT_HASH].bytes_list.value)
        for image_id, label in zip(block[features.IMAGE_ID].bytes_list.value, labels, strict=True):
            members[label.decode()].add(image_id)
    in_order = {label: sorted(members[label]) for label in sorted(members)}
    return Blocks(
        count, pairs, images, most_images, most_classes, largest, in_order, content_hashes
    )


def few_of_each_class(
    files: Sequence[str], members: dict[str, list[bytes]], image_size: Size, most: int
) -> Images:
    """Return equally many images per class, or all of a class that has fewer.

    Args:
        files: TFRecords of pair blocks.
        members: From `scan`.
        image_size: Height and width in pixels.
        most: About how many images in total; at least one per class.
    """
    each = max(1, most // max(1, len(members)))
    # Ids are hashes, so the first ones are a random sample.
    wanted = {image_id for ids in members.values() for image_id in ids[:each]}
    return _collect(files, image_size, wanted)[0]


def held_out(files: Sequence[str], image_size: Size) -> HeldOut:
    """Return all images and pairs of a split.

    Args:
        files: TFRecords of pair blocks, whose images fit in memory.
        image_size: Height and width in pixels.
    """
    images, left, right, target = _collect(files, image_size, None)
    return HeldOut(images, *(np.array(column, "int64") for column in (left, right, target)))


def _collect(
    files: Sequence[str], image_size: Size, wanted: set[bytes] | None
) -> tuple[Images, list[int], list[int], list[int]]:
    place: dict[bytes, int] = {}
    pixels, labels, sources, content_hashes, groups, folds = [], [], [], [], [], []
    left: list[int] = []
    right: list[int] = []
    target: list[int] = []
    for _, block in _read(files):
        ids = block[features.IMAGE_ID].bytes_list.value
        for position, image_id in enumerate(ids):
            if image_id in place or (wanted is not None and image_id not in wanted):
                continue
            place[image_id] = len(place)
            pixels.append(
                tf.io.decode_png(block[features.IMAGE].bytes_list.value[position]).numpy()
            )
            labels.append(block[features.LABEL].bytes_list.value[position].decode())
            sources.append(block[features.SOURCE].bytes_list.value[position])
            content_hashes.append(block[features.CONTENT_HASH].bytes_list.value[position])
            groups.append(block[features.GROUP].bytes_list.value[position])
            folds.append(block[features.FOLD].int64_list.value[position])
        if wanted is not None:
            if len(place) == len(wanted):
                break
            continue
        left += [place[ids[i]] for i in block[features.LEFT].int64_list.value]
        right += [place[ids[i]] for i in block[features.RIGHT].int64_list.value]
        target += block[features.TARGET].int64_list.value
    shape = (len(pixels), *pixel_shape(image_size))
    stacked = np.stack(pixels) if pixels else np.zeros(shape, "uint8")
    images = Images(
        stacked.reshape(shape), np.array(labels, str), list(place), sources, content_hashes, groups,
        np.array(folds, "int64"),
    )  # fmt: skip
    return images, left, right, target


def _read(files: Sequence[str]) -> Iterator[tuple[int, dict]]:
    for record in tf.data.TFRecordDataset(sorted(files)):
        serialized = record.numpy()
        yield len(serialized), tf.train.Example.FromString(serialized).features.feature
