"""Which image goes to which split. Near-duplicates always go together.

Pure functions over short descriptions of the images; no pixels.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from components import features

_LEAST_TO_JUDGE = 6
"""A class with so many images gives each split two, so that each can make a same-class pair."""


class Described(NamedTuple):
    """What splitting needs to know of an image.

    Attributes:
        path: Names the image.
        label: Its class.
        content_hash: Of its file.
        split: The split that it was given, if any.
        group: Names its group of near-duplicates; an image without any is its own.
    """

    path: str
    label: str
    content_hash: str
    split: str | None
    group: str


class Assignment(NamedTuple):
    """Where the images go.

    Attributes:
        splits: The split of each usable image, by its path.
        set_aside: The reason for each other image, by its path.
    """

    splits: dict[str, str]
    set_aside: dict[str, str]


def assign_splits(
    images: Sequence[Described], shares: Mapping[str, float], by: str, seed: int
) -> Assignment:
    """Divide images among the splits.

    Within a class, groups of near-duplicates are ranked by a hash of their content and dealt out by
    the shares, so a class of few images is divided as exactly as it can be, and the order of the
    files plays no part.

    Args:
        images: The images, each once.
        shares: Of each split of `features.SPLITS`, adding up to 1.
        by: `image` divides each class; `class` keeps whole classes apart.
        seed: Of the ranking.
    """
    set_aside = contradictions(images)
    rest = [image for image in images if image.path not in set_aside]
    given = [image for image in rest if image.split is not None]
    if given:
        splits, late = _as_given(rest)
        return Assignment(splits, set_aside | late)
    if by == "class":
        splits, late = _by_class(rest, shares, seed)
        return Assignment(splits, set_aside | late)
    return Assignment(_by_image(rest, shares, seed), set_aside)


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


def _by_image(
    images: Sequence[Described], shares: Mapping[str, float], seed: int
) -> dict[str, str]:
    # Near-duplicates under two classes are one group, which the first class deals out.
    label_of_group: dict[str, str] = {}
    for image in sorted(images):
        label_of_group.setdefault(image.group, image.label)
    groups: dict[str, list[Described]] = defaultdict(list)
    for image in images:
        groups[image.group].append(image)
    by_label: dict[str, list[list[Described]]] = defaultdict(list)
    for group, members in groups.items():
        by_label[label_of_group[group]].append(members)
    splits = {}
    for members_of_label in by_label.values():
        # Large groups first: the small ones then even out what these took too much of.
        ranked = sorted(
            members_of_label, key=lambda g: (-len(g), _rank(seed, *(i.content_hash for i in g)))
        )
        wanted = _quotas(sum(map(len, ranked)), shares)
        learning = 0
        for place, members in enumerate(ranked):
            if learning < 2 and learning + len(ranked) - place <= 2:
                split = features.TRAIN  # else it would be left with less than a pair
            else:
                split = _most_wanted(wanted, len(members))
            wanted[split] -= len(members)
            learning += len(members) * (split == features.TRAIN)
            splits.update({image.path: split for image in members})
    return splits


def _most_wanted(wanted: Mapping[str, int], size: int) -> str:
    """The split that lacks most of its quota.

    Of equal ones, train comes last for one image, and first for a group: to judge, one needs
    images that differ.
    """
    order = features.SPLITS if size > 1 else tuple(reversed(features.SPLITS))
    return max(order, key=lambda split: wanted[split])


def _by_class(
    images: Sequence[Described], shares: Mapping[str, float], seed: int
) -> tuple[dict[str, str], dict[str, str]]:
    labels = sorted({image.label for image in images}, key=lambda label: _rank(seed, label))
    wanted = _quotas(len(labels), shares)
    split_of_label = {}
    for label in labels:
        split = _most_wanted(wanted, 1)
        wanted[split] -= 1
        split_of_label[label] = split
    return _keep_held_out({image: split_of_label[image.label] for image in images})


def _as_given(images: Sequence[Described]) -> tuple[dict[str, str], dict[str, str]]:
    """The splits that the user gave; an image without one learns."""
    return _keep_held_out({image: image.split or features.TRAIN for image in images})


def _keep_held_out(
    split_of: Mapping[Described, str],
) -> tuple[dict[str, str], dict[str, str]]:
    """Of near-duplicates in several splits, those in the last split stay: test, validation, train.

    Judging keeps its images, and learning goes without what it would be judged on.
    """
    last: dict[str, tuple[int, str]] = {}
    for image, split in split_of.items():
        place = (features.SPLITS.index(split), image.path)
        last[image.group] = max(place, last.get(image.group, place))
    splits, set_aside = {}, {}
    for image, split in split_of.items():
        index, path = last[image.group]
        if features.SPLITS[index] == split:
            splits[image.path] = split
        else:
            set_aside[image.path] = (
                f"shows the same as {path}, which is in split '{features.SPLITS[index]}'"
            )
    return splits, set_aside


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
