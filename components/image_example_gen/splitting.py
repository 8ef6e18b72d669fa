"""Which image goes to which split. Near-duplicates always go together.

Pure functions over short descriptions, of a group of near-duplicates or of a class: none needs to
see all images. `beam_steps` joins them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from records import features

_LEAST_TO_JUDGE = 6
"""A class with so many images gives each split two, so that each can make a same-class pair."""


class Described(NamedTuple):
    """What splitting needs to know of an image.

    Attributes:
        path: Names the image.
        label: Its class.
        content_hash: Of its file.
        split: The split that it was given, if any.
    """

    path: str
    label: str
    content_hash: str
    split: str | None


class Placed(NamedTuple):
    """Where an image goes.

    Attributes:
        path: Names the image.
        label: Its class.
        split: Its split; None for one that is set aside.
        reason: Why it is set aside, a predicate.
    """

    path: str
    label: str
    split: str | None
    reason: str = ""


class Group(NamedTuple):
    """Near-duplicates that wait to be dealt out with the others of their class.

    They sort in the order of dealing: large groups first, since the small ones then even out what
    these took too much of, and among equals by a hash of their content.

    Attributes:
        place: The number of its images, negative.
        rank: Decided by the seed and the images' content, not by their names.
        images: Paths and classes.
    """

    place: int
    rank: str
    images: tuple[tuple[str, str], ...]


def contradictions(images: Sequence[Described]) -> dict[str, str]:
    """The same content under two classes: nobody can tell which is right.

    Returns:
        The reason for each such image, by its path.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    for image in images:
        labels[image.content_hash].add(image.label)
    return {
        image.path: "is the same image under classes " + " and ".join(sorted(found))
        for image in images
        if len(found := labels[image.content_hash]) > 1
    }


def waiting(group: Sequence[Described], seed: int) -> tuple[str, Group]:
    """A group as it waits, and the class that deals it out: that of its first image."""
    images = tuple(sorted((image.path, image.label) for image in group))
    rank = _rank(seed, *(image.content_hash for image in group))
    return images[0][1], Group(-len(images), rank, images)


def deal(groups: Iterable[Group], shares: Mapping[str, float]) -> Iterator[Placed]:
    """Divide a class, image by image, near-duplicates together.

    Dealt out by the shares, a class of few images is divided as exactly as it can be.

    Args:
        groups: Those of the class, in any order.
        shares: Of each split of `features.SPLITS`, adding up to 1.
    """
    ranked = sorted(groups)
    wanted = _quotas(sum(len(group.images) for group in ranked), shares)
    learning = 0
    for place, group in enumerate(ranked):
        if learning < 2 and learning + len(ranked) - place <= 2:
            split = features.TRAIN  # else it would be left with less than a pair
        else:
            split = _most_wanted(wanted, len(group.images))
        wanted[split] -= len(group.images)
        learning += len(group.images) * (split == features.TRAIN)
        yield from (Placed(path, label, split) for path, label in group.images)


def _most_wanted(wanted: Mapping[str, int], size: int) -> str:
    """The split that lacks most of its quota.

    Of equal ones, train comes last for one image, and first for a group: to judge, one needs
    images that differ.
    """
    order = features.SPLITS if size > 1 else tuple(reversed(features.SPLITS))
    return max(order, key=lambda split: wanted[split])


def divide_classes(labels: Iterable[str], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """The split of each class, where classes are kept whole."""
    ranked = sorted(labels, key=lambda label: _rank(seed, label))
    wanted = _quotas(len(ranked), shares)
    split_of_class = {}
    for label in ranked:
        split = _most_wanted(wanted, 1)
        wanted[split] -= 1
        split_of_class[label] = split
    return split_of_class


def keep_held_out(
    group: Sequence[Described], split_of_class: Mapping[str, str] | None
) -> Iterator[Placed]:
    """Of near-duplicates in several splits, those in the last split stay: test, validation, train.

    Judging keeps its images, and learning goes without what it would be judged on.

    Args:
        group: The near-duplicates.
        split_of_class: Of each class; None: images have the split that they were given, and
            without one they learn.
    """

    def split_of(image: Described) -> str:
        if split_of_class is None:
            return image.split or features.TRAIN
        return split_of_class[image.label]

    last, path = max((features.SPLITS.index(split_of(image)), image.path) for image in group)
    for image in group:
        if features.SPLITS[last] == split_of(image):
            yield Placed(image.path, image.label, features.SPLITS[last])
        else:
            reason = f"shows the same as {path}, which is in split '{features.SPLITS[last]}'"
            yield Placed(image.path, image.label, None, reason)


def _quotas(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many of `count` each split gets: by its share, but two each before any gets a third.

    Too few for all three go to train; train keeps two.
    """
    quotas = {split: round(count * shares[split]) for split in (features.VALIDATION, features.TEST)}
    least = 2 if count >= _LEAST_TO_JUDGE else 1 if count > len(features.SPLITS) else 0
    for split in quotas:
        quotas[split] = max(quotas[split], least) if shares[split] and least else 0
    while count - sum(quotas.values()) < 2 and any(quotas.values()):
        quotas[max(quotas, key=lambda split: quotas[split])] -= 1
    return {features.TRAIN: count - sum(quotas.values()), **quotas}


def _rank(seed: int, *texts: str) -> str:
    """A number that seed and texts decide, whatever the order of the texts."""
    return hashlib.sha256("\n".join([str(seed), *sorted(texts)]).encode("utf-8")).hexdigest()
