"""Assigns images to splits. Near-duplicates always go to the same one.

Pure functions over short descriptions of a group of near-duplicates or of a class: none needs to
see all images. `beam_steps` joins them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from records import features

_MIN_FOR_ALL_SPLITS = 6
"""From this many images on, a class gives each split two, so that each has a same-class pair."""


class Described(NamedTuple):
    """What splitting needs to know about an image.

    Attributes:
        path: Names the image.
        label: Its class.
        content_hash: Of its file.
        split: The split that the data set gives it, if any.
    """

    path: str
    label: str
    content_hash: str
    split: str | None


class Assigned(NamedTuple):
    """An image and its split.

    Attributes:
        path: Names the image.
        label: Its class.
        split: Its split; None for one that is excluded.
        reason: Why it is excluded, a phrase that completes "the file ...", such as "is empty".
    """

    path: str
    label: str
    split: str | None
    reason: str = ""


class Group(NamedTuple):
    """Near-duplicates that are assigned together.

    Groups sort in the order in which they are assigned: large ones first, since small ones can then
    even out the quotas, and among equals by a hash of their content.

    Attributes:
        order: The number of its images, negative.
        rank: A hash of the seed and the images' content, independent of their names.
        images: Paths and classes.
    """

    order: int
    rank: str
    images: tuple[tuple[str, str], ...]


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


def pending(group: Sequence[Described], seed: int) -> tuple[str, Group]:
    """Return near-duplicates as a group, by the class that it is assigned with: its first one."""
    images = tuple(sorted((image.path, image.label) for image in group))
    rank = _rank(seed, *(image.content_hash for image in group))
    return images[0][1], Group(-len(images), rank, images)


def assign(groups: Iterable[Group], shares: Mapping[str, float]) -> Iterator[Assigned]:
    """Assign the groups of a class to splits, as close to the shares as whole groups allow.

    Args:
        groups: All groups of the class, in any order.
        shares: Share of each split of `features.SPLITS`; their sum is 1.
    """
    ranked = sorted(groups)
    remaining = _quotas(sum(len(group.images) for group in ranked), shares)
    in_train = 0
    for index, group in enumerate(ranked):
        if in_train < 2 and in_train + len(ranked) - index <= 2:
            split = features.TRAIN  # the last chance for it to get a pair
        else:
            split = _furthest_from_quota(remaining, len(group.images))
        remaining[split] -= len(group.images)
        in_train += len(group.images) * (split == features.TRAIN)
        yield from (Assigned(path, label, split) for path, label in group.images)


def _furthest_from_quota(remaining: Mapping[str, int], size: int) -> str:
    """Return the split with the most images left in its quota.

    Among equals, train comes last for a single image and first for a group: evaluation needs images
    that differ.
    """
    order = features.SPLITS if size > 1 else tuple(reversed(features.SPLITS))
    return max(order, key=lambda split: remaining[split])


def assign_classes(labels: Iterable[str], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Return the split of each class, where classes are kept whole."""
    ranked = sorted(labels, key=lambda label: _rank(seed, label))
    remaining = _quotas(len(ranked), shares)
    split_of_class = {}
    for label in ranked:
        split = _furthest_from_quota(remaining, 1)
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


def _quotas(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Return how many of `count` images each split gets: its share, but at least two if possible.

    Too few for all splits go to train, which always keeps two.
    """
    quotas = {split: round(count * shares[split]) for split in (features.VALIDATION, features.TEST)}
    minimum = 2 if count >= _MIN_FOR_ALL_SPLITS else 1 if count > len(features.SPLITS) else 0
    for split in quotas:
        quotas[split] = max(quotas[split], minimum) if shares[split] and minimum else 0
    while count - sum(quotas.values()) < 2 and any(quotas.values()):
        quotas[max(quotas, key=lambda split: quotas[split])] -= 1
    return {features.TRAIN: count - sum(quotas.values()), **quotas}


def _rank(seed: int, *texts: str) -> str:
    """Return a hash of the seed and of the texts in any order."""
    return hashlib.sha256("\n".join([str(seed), *sorted(texts)]).encode("utf-8")).hexdigest()
