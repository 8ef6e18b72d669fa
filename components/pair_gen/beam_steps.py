"""The Beam steps of PairGen.

Pixels pass through no join: they are written once (`image_store`), and read where a block is built.
Only the images' ids, 16 bytes each, are gathered in one place: sampling without replacement needs
them.

Nothing here imports TFX's components, since that takes each Beam worker 30 seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf

from base.errors import DataError
from base.printable import text_of
from components.pair_gen import image_store
from images.bit_depth import encode
from records import features
from records.lost import records_lost
from records.pair_block import pair_block
from records.pair_sampling import Block

_FoldAndClass = tuple[int, bytes]
_PlannedBlock = tuple[int, list[bytes], tuple[int, ...], tuple[int, ...]]
"""Its number, the ids of its images, and its pairs."""


class IndexEntry(NamedTuple):
    """One image of a split, without its pixels."""

    image_id: bytes
    label: bytes
    content_hash: bytes
    source: bytes
    group: bytes
    fold: int


class StoredImage(NamedTuple):
    """The path of an image in the image store, and its source file."""

    path: str
    source: bytes


class PairWithinSplit(beam.PTransform):
    """Turns the serialized transformed records of a split into its index and its pair blocks.

    Args:
        split: Its name, for messages.
        folder: From `image_store`.
        sampler: One of `records.pair_sampling`.
        arguments: The sampler's arguments after the labels.
        within_folds: Whether to sample each fold by itself, and none that makes no pairs.
    """

    def __init__(
        self,
        split: str,
        folder: str,
        sampler: Callable[..., Iterator[Block]],
        arguments: tuple,
        within_folds: bool = False,
    ) -> None:
        super().__init__()
        self._folder, self._within_folds = folder, within_folds
        self._split, self._sampler, self._arguments = split, sampler, arguments

    def expand(self, records: beam.PCollection) -> tuple[beam.PCollection, beam.PCollection]:
        """Return index entries, and serialized pair blocks."""
        index = records | "Index" >> beam.Map(_index_entry)
        ids = (
            index
            | "KeyByClass" >> beam.Map(_key_by_class, self._within_folds)
            | "ByClass" >> beam.GroupByKey()
            | "PackIds" >> beam.MapTuple(_pack_ids)
        )
        plan = _sample_folds if self._within_folds else _sample
        blocks = (
            records.pipeline
            | "Once" >> beam.Create([None])
            | "Sample"
            >> beam.FlatMap(
                plan, beam.pvalue.AsDict(ids), self._split, self._sampler, self._arguments
            )
        )
        placed_images = (
            {
                "image": records | "Store" >> beam.Map(_store, self._folder),
                "place": blocks | "Places" >> beam.FlatMap(_places),
            }
            | "JoinImages" >> beam.CoGroupByKey()
            | "PlaceImages" >> beam.FlatMap(_place_images, self._split)
        )
        pair_blocks = (
            {
                "image": placed_images,
                "pairs": blocks | "Pairs" >> beam.MapTuple(_pairs),
            }
            | "JoinBlocks" >> beam.CoGroupByKey()
            | "Build" >> beam.FlatMap(_build, self._split)
        )
        return index, pair_blocks


class NoLeak(beam.PTransform):
    """Checks that no image, no content and no group of images is in two splits, or two folds.

    Takes the splits' indexes, by name; yields nothing.

    Raises, when the pipeline runs:
        DataError: One is; the message names the files.
    """

    def expand(self, indexes: dict[str, beam.PCollection]) -> beam.PCollection:
        """Return an empty collection."""
        keyed = [
            index | f"Key[{split}]" >> beam.FlatMap(_leak_keys, split)
            for split, index in indexes.items()
        ]
        return (
            keyed
            | beam.Flatten()
            | "BySplit" >> beam.GroupByKey()
            | "Check" >> beam.FlatMapTuple(_check_leak)
        )


def check_both_kinds(counts: str, split: str) -> str:
    """Return the counts of a split's pairs, from `CountPairs`.

    Raises:
        DataError: There is no pair of one class, or none of different classes.
    """
    found = json.loads(counts)
    if not 0 < found["same"] < found["pairs"]:
        kind = "different classes" if found["same"] else "one class"
        raise DataError(
            f"split '{split}' has no two images of {kind} and of different groups "
            "(splits.group, copies); add images or groups"
        )
    return counts


class CountPairs(beam.CombineFn):
    """Counts, as a JSON text, the `blocks`, the `pairs`, and the pairs of the `same` class."""

    def create_accumulator(self) -> tuple[int, int, int]:
        """Return zeros."""
        return 0, 0, 0

    def add_input(self, counts: tuple[int, int, int], block: bytes) -> tuple[int, int, int]:
        """Count one serialized pair block."""
        target = tf.train.Example.FromString(block).features.feature[features.TARGET]
        values = target.int64_list.value
        return counts[0] + 1, counts[1] + len(values), counts[2] + sum(values)

    def merge_accumulators(self, counts: Iterable[tuple[int, int, int]]) -> tuple[int, int, int]:
        """Return the sums."""
        blocks, pairs, same = (sum(column) for column in zip((0, 0, 0), *counts, strict=True))
        return blocks, pairs, same

    def extract_output(self, counts: tuple[int, int, int]) -> str:
        """Return the counts as JSON."""
        return json.dumps(dict(zip(("blocks", "pairs", "same"), counts, strict=True)))


def _value(example: tf.train.Example, name: str) -> bytes:
    return example.features.feature[name].bytes_list.value[0]


def _index_entry(record: bytes) -> IndexEntry:
    example = tf.train.Example.FromString(record)
    return IndexEntry(
        _value(example, features.IMAGE_ID),
        _value(example, features.LABEL),
        _value(example, features.CONTENT_HASH),
        _value(example, features.SOURCE),
        _value(example, features.GROUP),
        example.features.feature[features.FOLD].int64_list.value[0],
    )


def _store(record: bytes, folder: str) -> tuple[bytes, StoredImage]:
    """Write an image; as a PNG, since it will be in several blocks."""
    image = _index_entry(record)
    example = tf.train.Example.FromString(record)
    pixels = tf.io.parse_tensor(_value(example, features.PIXELS), tf.uint8).numpy()
    del example.features.feature[features.PIXELS]
    example.features.feature[features.IMAGE].bytes_list.value.append(encode(pixels))
    path = image_store.write(example.SerializeToString(), folder)
    return image.image_id, StoredImage(path, image.source)


def _key_by_class(entry: IndexEntry, within_folds: bool) -> tuple[_FoldAndClass, bytes]:
    return (entry.fold if within_folds else features.NO_FOLD, entry.label), entry.image_id


def _pack_ids(key: _FoldAndClass, ids: Iterable[bytes]) -> tuple[_FoldAndClass, np.ndarray]:
    """Sort the ids, since Beam keeps no order; an array takes a third of a list's memory."""
    return key, np.sort(np.array(list(ids), bytes))


def _sample(
    _: None,
    ids: Mapping[_FoldAndClass, np.ndarray],
    split: str,
    sampler: Callable[..., Iterator[Block]],
    arguments: tuple,
) -> Iterator[_PlannedBlock]:
    """Number the blocks and name their images by id; the sampler sees them by class, then id."""
    classes = sorted(ids)
    labels = [key[1] for key in classes for _ in range(len(ids[key]))]
    every = np.concatenate([ids[key] for key in classes]) if classes else ()
    try:
        for number, block in enumerate(sampler(labels, *arguments)):
            yield number, [bytes(every[i]) for i in block.images], block.left, block.right
    except DataError as e:
        raise DataError(f"split '{split}': {e}") from e


def _sample_folds(
    _: None,
    ids: Mapping[_FoldAndClass, np.ndarray],
    split: str,
    sampler: Callable[..., Iterator[Block]],
    arguments: tuple,
) -> Iterator[_PlannedBlock]:
    """Sample each fold by itself; `CountPairs` shows whether any makes pairs of both kinds."""
    number = 0
    for fold in sorted({fold for fold, _ in ids}):
        of_fold = {key: some for key, some in ids.items() if key[0] == fold}
        with suppress(DataError):
            for _of_fold, images, left, right in _sample(None, of_fold, split, sampler, arguments):
                yield number, images, left, right
                number += 1


def _places(block: tuple[int, list[bytes], Any, Any]) -> Iterator[tuple[bytes, tuple[int, int]]]:
    number, images, _, _ = block
    for position, image_id in enumerate(images):
        yield image_id, (number, position)


def _place_images(
    joined: tuple[bytes, dict[str, Iterable[Any]]], split: str
) -> Iterator[tuple[int, tuple[int, str]]]:
    image_id, values = joined
    images = list(islice(values["image"], 2))
    if not images:
        raise records_lost(f"split '{split}' lacks image {image_id.decode()}, which is in pairs")
    if len(images) > 1:
        one, other = sorted(image.source for image in images)
        also = "" if one == other else f", also as {_name(other)}"
        raise DataError(
            f"split '{split}' has the image {_name(one)} twice{also}; remove one and run again"
        )
    for number, position in values["place"]:
        yield number, (position, images[0].path)


def _pairs(
    number: int, images: list[bytes], left: tuple[int, ...], right: tuple[int, ...]
) -> tuple[int, tuple[int, tuple[int, ...], tuple[int, ...]]]:
    return number, (len(images), left, right)


def _build(joined: tuple[int, dict[str, Iterable[Any]]], split: str) -> Iterator[bytes]:
    """Yield a pair block; none for a held-out pair of one group.

    Two images of one group are more alike than two of a class are: such pairs would make the
    threshold too strict and the metrics too good.
    """
    number, values = joined
    images, pairs = sorted(values["image"]), list(values["pairs"])
    if not pairs or len(images) != pairs[0][0]:
        expected = f" of {pairs[0][0]}" if pairs else ""
        raise records_lost(f"block {number} of split '{split}' has {len(images)}{expected} images")
    [(_, left, right)] = pairs
    stored = image_store.read([path for _, path in images])
    records = [tf.train.Example.FromString(record) for record in stored]
    if split == features.TRAIN or len({_value(one, features.GROUP) for one in records}) > 1:
        yield pair_block(records, left, right).SerializeToString(deterministic=True)


def _leak_keys(
    entry: IndexEntry, split: str
) -> Iterator[tuple[tuple[str, bytes], tuple[str, bytes]]]:
    place = f"split '{split}'" if entry.fold == features.NO_FOLD else f"fold {entry.fold}"
    yield ("image id", entry.image_id), (place, entry.source)
    yield ("content", entry.content_hash), (place, entry.source)
    yield ("group", entry.group), (place, entry.source)


def _check_leak(key: tuple[str, bytes], found: Iterable[tuple[str, bytes]]) -> Iterator[None]:
    first: dict[str, bytes] = {}
    for place, source in found:
        first[place] = min(source, first.get(place, source))
    if len(first) > 1:
        named = ", ".join(f"{_name(name)} in {place}" for place, name in sorted(first.items()))
        kind = next(iter(first)).split()[0]
        raise DataError(
            f"the same {key[0]} is in two {kind}s, so a model would be judged on images it was "
            f"trained on: {named}; remove one of the files, or move them into one {kind}"
        )
    yield from ()


def _name(source: bytes) -> str:
    return repr(text_of(source))[1:-1]
