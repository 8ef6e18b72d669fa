"""Finds copies: the same file twice, the same picture encoded anew, and both under two labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

import cv2

from images.audit.collection import Collection
from images.audit.findings import Example, Finding, about, counted
from images.near_duplicates import Groups, band_keys, fingerprint, pairs_in_band

_SIDE, _BITS = 32, 3


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
    """Return groups of indices of near-duplicates."""
    bands = defaultdict(list)
    for i, one in enumerate(images.images):
        grey = cv2.cvtColor(one.thumbnail, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        found = fingerprint(f"{i:09d}", small)
        for key in band_keys(found, _BITS):
            bands[key].append(found)
    groups = Groups()
    for members in bands.values():
        for pair in pairs_in_band(members, _BITS):
            groups.join(*pair)
    return [[int(name) for name in group] for group in groups.lists()]


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
