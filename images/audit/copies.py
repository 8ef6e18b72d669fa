"""Finds copies: the same file twice, the same picture encoded anew, and both under two labels."""

from __future__ import annotations

import functools
import itertools
import os
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from base.counted import counted
from images.audit.collection import Collection
from images.audit.findings import Example, Finding, about
from images.copy_candidates import Candidates, Described, Statistics, candidates, descriptor
from images.copy_verification import Scene, Thumbnail, are_copies
from images.near_duplicates import Copy, grouped

_MAX_PAIRS = 1000
"""Pairs of images that are compared pixel by pixel, at 20 to 50 ms each on one CPU."""


def find_copies(images: Collection, max_pairs: int = _MAX_PAIRS) -> Iterator[Finding]:
    """Yield contradictions, exact copies and near-duplicates.

    Args:
        images: The measured images.
        max_pairs: About how many pairs are compared pixel by pixel: the most similar ones.
    """
    exact = _alike([one.content_hash for one in images.images])
    found = _candidates(images)
    compared = _most_similar(found, max_pairs)
    near = [group for group in _near(images, compared) if not _within(group, exact)]
    contradicting = [group for group in [*exact, *near] if _labels(images, group) > 1]
    examples = [_example(images, group) for group in contradicting]
    yield from about(
        examples,
        "contradiction",
        "warning",
        f"{counted(len(examples), 'picture', ('has', 'have'))} more than one class",
        "Decide which class is right and remove the other copies.",
    )
    shared = "they share a split"
    if any(file.split for file in images.files):
        shared = "of those in several splits a run excludes all but the held-out ones"
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
            f"Copies add no information: {shared}, and the intervals count them once.",
        )
    if len(compared) < len(found):
        pairs, of = (sum(len(one.others) for one in some) for some in (compared, found))
        yield Finding(
            kind="many_alike",
            grade="note",
            text=f"Many images look alike: of {of:,} similar pairs, the {pairs:,} most similar "
            "were compared pixel by pixel",
            advice="Nothing: a run compares all of them before it splits the data.",
        )


def _alike(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return the indices of equal keys, for those that are there twice."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        groups[key].append(i)
    return [group for group in groups.values() if len(group) > 1]


def _candidates(images: Collection) -> list[Candidates]:
    """Return which images may be copies, the most similar first."""
    distinct = {one.content_hash: i for i, one in reversed(list(enumerate(images.images)))}
    statistics, described = Statistics(), []
    for content_hash, i in distinct.items():
        one = Described(images.files[i].path, "", descriptor(images.images[i].grey))
        described.append(one)
        statistics.add(content_hash, one.descriptor)
    found = candidates(described, statistics.whitening())
    return sorted(found, key=lambda one: (-one.similarity, one.image))


def _most_similar(found: Sequence[Candidates], max_pairs: int) -> Sequence[Candidates]:
    """Return the first candidates, of about `max_pairs` pairs."""
    pairs = itertools.accumulate(len(one.others) for one in found)
    return [one for one, count in zip(found, pairs, strict=True) if count <= max_pairs]


def _near(images: Collection, found: Sequence[Candidates]) -> list[list[int]]:
    """Return groups of indices of near-duplicates among candidates, of whatever classes."""
    at = {file.path: i for i, file in enumerate(images.files)}

    def thumbnail(path: str) -> Thumbnail:
        one = images.images[at[path]]
        return Thumbnail(one.grey, min(one.height, one.width))

    @functools.lru_cache(16)
    def scene(paths: tuple[str, ...]) -> Scene:
        return Scene([thumbnail(path) for path in paths])

    def verified(candidate: Candidates) -> list[Copy]:
        one = thumbnail(candidate.image[0])
        others = scene(candidate.scene) if candidate.scene else None
        return [
            Copy(candidate.image, (path, label), identical=False)
            for path, label, mirrored in candidate.others
            if are_copies(one, thumbnail(path).mirrored() if mirrored else thumbnail(path), others)
        ]

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        copies = list(threads.map(verified, found))
    groups = grouped(itertools.chain.from_iterable(copies)).lists()
    return [sorted(at[path] for path in group) for group in groups]


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
