"""Finds copies: the same file twice, the same picture encoded anew, and both under two labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

import cv2
import numpy as np

from images.audit.collection import Collection
from images.audit.findings import Example, Finding, about, counted
from images.canonical import GREY_SIZE
from images.copy_candidates import Described, Statistics, candidates, descriptor
from images.copy_verification import Thumbnail, are_copies
from images.near_duplicates import Copy, grouped


def find_copies(images: Collection) -> Iterator[Finding]:
    """Yield contradictions, exact copies and near-duplicates."""
    exact = _alike([one.content_hash for one in images.images])
    near = [group for group in _near(images) if not _within(group, exact)]
    contradicting = [group for group in [*exact, *near] if _labels(images, group) > 1]
    examples = [_example(images, group) for group in contradicting]
    yield from about(
        examples,
        "contradiction",
        "warning",
        f"{counted(len(examples), 'picture', ('has', 'have'))} more than one class",
        "Decide which class is right and remove the other copies.",
    )
    for kind, groups, what in (
        ("copies", exact, "is there several times, as identical files"),
        ("near_duplicates", near, "is there several times, encoded anew, scaled or cropped"),
    ):
        examples = [_example(images, group) for group in groups if group not in contradicting]
        copies = sum(len(one.others) for one in examples)
        verb = (what, what.replace("is there", "are there"))
        yield from about(
            examples,
            kind,
            "note",
            f"{counted(len(examples), 'picture', verb)} ({counted(copies, 'copy')})".replace(
                "copys", "copies"
            ),
            "Copies add no information: they share a split, and the intervals count them once.",
        )


def _alike(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return the indices of equal keys, for those that are there twice."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        groups[key].append(i)
    return [group for group in groups.values() if len(group) > 1]


def _near(images: Collection) -> list[list[int]]:
    """Return groups of indices of near-duplicates, of whatever classes."""
    thumbnails = [_thumbnail(one.thumbnail) for one in images.images]
    distinct = {one.content_hash: i for i, one in reversed(list(enumerate(images.images)))}
    statistics, described = Statistics(), []
    for content_hash, i in distinct.items():
        described.append(Described(str(i), "", descriptor(thumbnails[i].grey)))
        statistics.add(content_hash, described[-1].descriptor)
    copies = []
    for found in candidates(described, statistics.whitening()):
        one = thumbnails[int(found.image[0])]
        scene = [thumbnails[int(path)] for path in found.scene]
        for path, label, mirrored in found.others:
            other = thumbnails[int(path)]
            if are_copies(one, other.mirrored() if mirrored else other, scene):
                copies.append(Copy(found.image, (path, label), identical=False))
    return [sorted(int(name) for name in group) for group in grouped(copies).lists()]


def _thumbnail(pixels: np.ndarray) -> Thumbnail:
    """Return RGB pixels as they are compared."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    resized = cv2.resize(grey, (GREY_SIZE, GREY_SIZE), interpolation=cv2.INTER_AREA)
    return Thumbnail(resized, min(grey.shape))


def _within(group: Sequence[int], exact: Sequence[Sequence[int]]) -> bool:
    return any(set(group) <= set(other) for other in exact)


def _labels(images: Collection, group: Sequence[int]) -> int:
    return len({images.files[i].label for i in group})


def _example(images: Collection, group: Sequence[int]) -> Example:
    first, *others = (images.files[i] for i in group)
    return Example(
        path=first.path,
        label=first.label,
        others=tuple(file.path for file in others),
        other_labels=tuple(file.label for file in others),
    )
