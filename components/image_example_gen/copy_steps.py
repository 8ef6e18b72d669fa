"""The Beam steps that find near-duplicates: copies of an image, in whatever form.

Identical files are found by their hash. Of the others, descriptors of 512 bytes are shuffled; the
few images that may be copies are read again and compared pixel by pixel.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam

from components.image_example_gen.inspection import Inspected
from images.canonical import Region, UnusableImage, canonical_image
from images.copy_candidates import Candidates, Described, Statistics, Whitening, candidates
from images.copy_verification import Scene, Thumbnail, are_copies
from images.near_duplicates import Copy, Groups, grouped
from images.reading import read_bytes

_CACHED = 256
"""Thumbnails of 64 kB that a process keeps, since an image may be in several candidate pairs."""

_SCENES = 16
"""Scenes of 0.5 MB that a process keeps, since pictures of a fixed camera have nearly always the
same one."""


class FindNearDuplicates(beam.PTransform):
    """Finds the near-duplicates among inspected files, as one `near_duplicates.Groups`.

    Args:
        root: The data root.
        max_pixels: Height times width of the largest image that is accepted.
        identical_only: Whether to find identical files only.
        region: `image.region`, in which images are compared; None: all of them.
    """

    def __init__(
        self,
        root: str,
        max_pixels: int,
        identical_only: bool = False,
        region: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self._root, self._max_pixels, self._identical_only = root, max_pixels, identical_only
        self._region = Region(**region) if region else None

    def expand(self, inspected: beam.PCollection) -> beam.PCollection:
        """Return all groups of more than one image."""
        by_content = (
            inspected
            | "DescribeCopies" >> beam.FlatMap(_described)
            | "SameContent" >> beam.GroupByKey()
            | "Identical" >> beam.FlatMapTuple(_identical).with_outputs("copies", main="distinct")
        )
        found = [by_content.copies]
        if not self._identical_only:
            found.append(self._near(by_content.distinct))
        return found | beam.Flatten() | "Group" >> beam.CombineGlobally(_GroupCopies())

    def _near(self, distinct: beam.PCollection) -> beam.PCollection:
        """Return the verified copies (`Copy`) among images of distinct contents."""
        whitening = beam.pvalue.AsSingleton(
            distinct | "Whitening" >> beam.CombineGlobally(_FindWhitening())
        )
        return (
            distinct
            | "Cells" >> beam.FlatMap(_by_cell, whitening)
            | "SameCell" >> beam.GroupByKey()
            | "Candidates" >> beam.FlatMap(_candidates, whitening)
            | "SpreadCandidates" >> beam.Reshuffle()
            | "Verify" >> beam.FlatMap(verified, self._root, self._max_pixels, self._region)
        )


class _FindWhitening(beam.CombineFn):
    """Computes the whitening of descriptors; holds the same for any number of them."""

    def create_accumulator(self) -> Statistics:
        return Statistics()

    def add_input(self, statistics: Statistics, image: tuple[str, Described]) -> Statistics:
        content_hash, described = image
        statistics.add(content_hash, described.descriptor)
        return statistics

    def merge_accumulators(self, found: Iterable[Statistics]) -> Statistics:
        merged = Statistics()
        for statistics in found:
            merged.merge(statistics)
        return merged

    def extract_output(self, statistics: Statistics) -> Whitening:
        return statistics.whitening()


class _GroupCopies(beam.CombineFn):
    """Gathers all copies and groups them."""

    def create_accumulator(self) -> set[Copy]:
        return set()

    def add_input(self, copies: set[Copy], copy: Copy) -> set[Copy]:
        copies.add(copy)
        return copies

    def merge_accumulators(self, found: Iterable[set[Copy]]) -> set[Copy]:
        return set().union(*found)

    def extract_output(self, copies: set[Copy]) -> Groups:
        return grouped(copies)


def verified(
    found: Candidates, root: str, max_pixels: int, region: Region | None = None
) -> Iterator[Copy]:
    """Yield the copies among the candidates; a file that cannot be read any more has none."""
    path, label = found.image
    # Writing the record of such a file will fail, and say why.
    with contextlib.suppress(UnusableImage):
        one = _thumbnail(root, path, max_pixels, region)
        scene = _scene(root, found.scene, max_pixels, region) if found.scene else None
        for other_path, other_label, mirrored in found.others:
            other = _thumbnail(root, other_path, max_pixels, region)
            if are_copies(one, other.mirrored() if mirrored else other, scene):
                yield Copy((path, label), (other_path, other_label), identical=False)


@functools.lru_cache(_CACHED)
def _thumbnail(root: str, path: str, max_pixels: int, region: Region | None) -> Thumbnail:
    image = canonical_image(read_bytes(os.path.join(root, path)), max_pixels, region)
    shown = region or image
    return Thumbnail(image.grey, min(shown.height, shown.width))


@functools.lru_cache(_SCENES)
def _scene(root: str, paths: tuple[str, ...], max_pixels: int, region: Region | None) -> Scene:
    return Scene([_thumbnail(root, path, max_pixels, region) for path in paths])


def _described(inspected: Inspected) -> Iterator[tuple[str, Described]]:
    if inspected.problem is None:
        path, label = inspected.source.path, inspected.source.label
        yield inspected.content_hash, Described(path, label, inspected.descriptor)


def _identical(content_hash: str, same: Iterable[Described]) -> Iterator[Any]:
    """Yield one image of each content, and the others as its copies.

    One content under two classes is excluded later on, so it is not searched for.
    """
    first, *others = sorted(same)
    if all(image.label == first.label for image in others):
        yield content_hash, first
        for other in others:
            yield beam.pvalue.TaggedOutput("copies", Copy(first[:2], other[:2], identical=True))


def _by_cell(image: tuple[str, Described], whitening: Whitening) -> Iterator[tuple[int, Described]]:
    _, described = image
    for cell in whitening.cells(described.descriptor):
        yield cell, described


def _candidates(
    cell: tuple[int, Iterable[Described]], whitening: Whitening
) -> Iterator[Candidates]:
    yield from candidates(list(cell[1]), whitening)
