"""Groups images that are copies of each other.

`copy_candidates` finds which images to compare, and `copy_verification` compares them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple


class Copy(NamedTuple):
    """Two images that show the same.

    Attributes:
        one: Path and class of an image.
        other: Path and class of another one.
        identical: Whether the files are the same, byte for byte.
    """

    one: tuple[str, str]
    other: tuple[str, str]
    identical: bool


class Groups(dict[str, str]):
    """Groups of images (union-find; Galler and Fisher 1964).

    Maps each image to another of its group, the first to itself. Images without near-duplicates are
    not in it, so that its size depends on the duplicates alone.

    Attributes:
        contradictions: Pairs of images that show the same under two classes.
        largest: Number of images of the largest group, by class.
    """

    def __init__(self) -> None:
        super().__init__()
        self.contradictions: list[tuple[str, str]] = []
        self.largest: dict[str, int] = {}

    def first(self, image: str) -> str:
        """Return the first image, by name, of an image's group."""
        while self.setdefault(image, image) != image:
            self[image] = self[self[image]]
            image = self[image]
        return image

    def join(self, one: str, other: str) -> None:
        """Merge the groups of two images."""
        first, second = sorted((self.first(one), self.first(other)))
        self[second] = first

    def lists(self) -> list[list[str]]:
        """Return the groups, sorted."""
        members: dict[str, list[str]] = defaultdict(list)
        for image in list(self):
            members[self.first(image)].append(image)
        return sorted(sorted(images) for images in members.values())


def grouped(copies: Iterable[Copy]) -> Groups:
    """Return groups of copies, without chains: all images of a group are copies of one of them.

    The image with the most copies gets the first group. Identical files are always in one group,
    and files of two classes never are.
    """
    groups = Groups()
    label_of: dict[str, str] = {}
    near: dict[str, set[str]] = defaultdict(set)
    for (one, label), (other, other_label), identical in copies:
        label_of |= {one: label, other: other_label}
        if label != other_label:
            groups.contradictions.append((min(one, other), max(one, other)))
        elif identical:
            groups.join(one, other)
        else:
            near[one].add(other)
            near[other].add(one)
    groups.contradictions = sorted(set(groups.contradictions))
    taken: set[str] = set()
    for image in sorted(near, key=lambda image: (-len(near[image]), image)):
        if image not in taken:
            members = near[image] - taken
            taken |= members | {image}
            for member in members:
                groups.join(image, member)
    for images in groups.lists():
        counts = Counter(label_of[image] for image in images)
        for label, count in counts.items():
            groups.largest[label] = max(groups.largest.get(label, 0), count)
    return groups
