"""Assigns images to splits. A group always goes to one split: images of one specimen, and copies.

Pure functions over short descriptions of a group or of a class: none needs to see all images, only
the counts of groups that are in several classes. `split_steps` joins them.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from records import features

LEAST = 5
"""Images of a class, of different groups, from which on all splits of such classes have pairs."""

_HELD_OUT = {3: (1, 0), 4: (1, 1), LEAST: (2, 1)}
"""Images of `validation` and `test` of small classes; for every other class the other way round."""

_OF_LARGER = 2
"""From six images on, a class gives each split two, so that each has a pair of it."""


class Described(NamedTuple):
    """What splitting needs to know about an image.

    Attributes:
        path: Names the image.
        label: Its class.
        content_hash: Of its file.
        split: The split that the data set gives it, if any.
        group: The group that the data set gives it, if any.
    """

    path: str
    label: str
    content_hash: str
    split: str | None
    group: str | None = None


class Assigned(NamedTuple):
    """An image and its split.

    Attributes:
        path: Names the image.
        label: Its class.
        split: Its split; None for one that is excluded.
        reason: Why it is excluded, a phrase that completes "the file ...", such as "is empty".
        group: Names its group.
        counts_group: Whether it is the first image of its group.
        counts_class: Whether it is the first image of its class in its group.
        fold: Its fold (`features.FOLD`).
    """

    path: str
    label: str
    split: str | None
    reason: str = ""
    group: str = ""
    counts_group: bool = False
    counts_class: bool = False
    fold: int = features.NO_FOLD


class Group(NamedTuple):
    """Images that are assigned together.

    Groups sort in the order in which they are assigned: large ones first, since small ones can then
    even out the quotas, and among equals by a hash of their content.

    Attributes:
        order: The number of its images, negative.
        rank: A hash of the seed and the images' content, independent of their names.
        name: Names it.
        counts: Classes, and the number of its images of each.
        images: Paths and classes; empty where only the counts matter.
    """

    order: int
    rank: str
    name: str
    counts: tuple[tuple[str, int], ...]
    images: tuple[tuple[str, str], ...] = ()

    def in_split(self, split: str) -> Iterator[Assigned]:
        """Yield its images as assigned to a split."""
        yield from assigned(self.name, [(path, label, split) for path, label in self.images])


@dataclass
class Quota:
    """What a class still has to give to each split.

    Attributes:
        images: Number of its images.
        groups: Number of its groups that are not assigned yet.
        remaining: Images that each split should still get.
        given: Images that each split has got.
    """

    images: int
    groups: int
    remaining: dict[str, int]
    given: dict[str, int]

    def give(self, split: str, images: int) -> None:
        """Assign a group with a number of images."""
        self.groups -= 1
        self.remaining[split] -= images
        self.given[split] += images

    def forced(self) -> str | None:
        """Return the split that the next group must go to, if any.

        Train needs two images, for a pair, and the other splits one, as long as there are groups.
        """
        needs = [features.TRAIN] * (2 - self.given[features.TRAIN])
        needs += [
            split
            for split in (features.TEST, features.VALIDATION)
            if not self.given[split] and self.remaining[split] > 0
        ]
        return needs[0] if needs and self.groups <= len(needs) else None

    def order(self, images: int) -> tuple[str, ...]:
        """Return the splits in the order in which they take a group of this size, among equals.

        Train comes last for a single image and first for a group: evaluation needs images that
        differ.
        """
        return features.SPLITS if images > 1 else tuple(reversed(features.SPLITS))


def is_used(image: Assigned) -> bool:
    """Return whether an image is in a split, and not excluded."""
    return image.split is not None


def contradictions(images: Sequence[Described]) -> dict[str, str]:
    """Return the images whose content appears under two classes, of which one must be wrong.

    Returns:
        Why each such image is excluded, by its path.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    for image in images:
        labels[image.content_hash].add(image.label)
    return {
        image.path: "is the same image under classes " + " and ".join(sorted(found))
        for image in images
        if len(found := labels[image.content_hash]) > 1
    }


def pending(name: str, images: Iterable[Described], seed: int) -> Group:
    """Return images that belong together as a group to be assigned."""
    described = sorted(images)
    counts = sorted(Counter(image.label for image in described).items())
    rank = _rank(seed, *(image.content_hash for image in described))
    paths = tuple((image.path, image.label) for image in described)
    return Group(-len(described), rank, name, tuple(counts), paths)


def assigned(name: str, images: Iterable[tuple[str, str, str]]) -> Iterator[Assigned]:
    """Yield the images of a group, given as path, class and split, as assigned."""
    seen: set[str] = set()
    for path, label, split in sorted(images):
        yield Assigned(path, label, split, "", name, not seen, label not in seen)
        seen.add(label)


def quotas(totals: Mapping[str, tuple[int, int]], shares: Mapping[str, float]) -> dict[str, Quota]:
    """Return the quota of each class.

    Args:
        totals: Numbers of images and of groups of each class.
        shares: Share of each split of `features.SPLITS`; their sum is 1.
    """
    return {
        label: Quota(
            images, groups, _shared_out(images, shares, turn), dict.fromkeys(features.SPLITS, 0)
        )
        for turn, (label, (images, groups)) in enumerate(sorted(totals.items()))
    }


def assign(groups: Iterable[Group], of_class: Mapping[str, Quota]) -> Iterator[tuple[Group, str]]:
    """Assign groups to splits, as close to the quotas of their classes as whole groups allow.

    Greedy, as scikit-learn's StratifiedGroupKFold: the largest group first, each to the split whose
    classes lack most.

    Args:
        groups: All groups that are in several classes; or all others of one class, after them.
        of_class: The quotas of their classes, which are reduced.

    Yields:
        Each group with its split.
    """
    for group in sorted(groups):
        split = _choose(group, of_class)
        for label, images in group.counts:
            of_class[label].give(split, images)
        yield group, split


def _choose(group: Group, of_class: Mapping[str, Quota]) -> str:
    forced: Counter[str] = Counter()
    for label, images in group.counts:
        if split := of_class[label].forced():
            forced[split] += images
    if forced:
        return max(features.SPLITS, key=lambda split: forced[split])

    def lack(split: str) -> float:
        return sum(
            images * of_class[label].remaining[split] / of_class[label].images ** 2
            for label, images in group.counts
        )

    return max(of_class[group.counts[0][0]].order(-group.order), key=lack)


def assign_classes(labels: Iterable[str], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Return the split of each class, where classes are kept whole."""
    ranked = sorted(labels, key=lambda label: _rank(seed, label))
    remaining = _shared_out(len(ranked), shares)
    split_of_class = {}
    for label in ranked:
        split = max(reversed(features.SPLITS), key=lambda split: remaining[split])
        remaining[split] -= 1
        split_of_class[label] = split
    return split_of_class


def keep_held_out(
    group: Sequence[Described], split_of_class: Mapping[str, str] | None
) -> Iterator[Assigned]:
    """Keep near-duplicates in one split only: test before validation before train.

    Evaluation keeps its images, and training loses those that it would be evaluated on.

    Args:
        group: The near-duplicates.
        split_of_class: The split of each class; None: that which the data set gives each image,
            by default train.
    """

    def split_of(image: Described) -> str:
        if split_of_class is None:
            return image.split or features.TRAIN
        return split_of_class[image.label]

    last, path = max((features.SPLITS.index(split_of(image)), image.path) for image in group)
    for image in group:
        if features.SPLITS[last] == split_of(image):
            yield Assigned(image.path, image.label, features.SPLITS[last])
        else:
            reason = f"shows the same as {path}, which is in split '{features.SPLITS[last]}'"
            yield Assigned(image.path, image.label, None, reason)


def _shared_out(count: int, shares: Mapping[str, float], turn: int = 0) -> dict[str, int]:
    """Return how many of `count` images each split gets: its share, but at least two if possible.

    Too few for all splits go to train, which always keeps two.

    Args:
        count: Number of images of a class.
        shares: Share of each split.
        turn: The number of the class: of small classes, every other gives more to `test`.
    """
    held_out = (features.VALIDATION, features.TEST)
    if count <= LEAST:
        least = _HELD_OUT.get(count, (0, 0))[:: -1 if turn % 2 else 1]
        shared = {s: n if shares[s] else 0 for s, n in zip(held_out, least, strict=True)}
    else:
        shared = {s: max(round(count * shares[s]), _OF_LARGER) if shares[s] else 0
                  for s in held_out}  # fmt: skip
    while count - sum(shared.values()) < 2 and any(shared.values()):
        shared[max(shared, key=lambda split: shared[split])] -= 1
    return {features.TRAIN: count - sum(shared.values()), **shared}


def _rank(seed: int, *texts: str) -> str:
    """Return a hash of the seed and of the texts in any order."""
    return hashlib.sha256("\n".join([str(seed), *sorted(texts)]).encode("utf-8")).hexdigest()
