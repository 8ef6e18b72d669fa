"""Which images make a block, and which of a block's images make a pair.

A sampler takes the images' labels, in an order that the caller fixes, and yields blocks of indices
into it. The same labels and seed give the same blocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from components.data_error import DataError


class Block(NamedTuple):
    """Images, and pairs among them.

    Attributes:
        images: Indices into the sampled sequence, m of them, each once.
        left: For each of p pairs the index, in `images`, of its left image.
        right: The same for its right image.
    """

    images: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


def class_balanced(
    labels: Sequence[bytes], classes_per_block: int, images_per_class: int, passes: int, seed: int
) -> Iterator[Block]:
    """Blocks of several images of each of several classes, with all their pairs.

    Classes take turns however many images they have, and so do the images of a class; this is the
    episode of Vinyals et al. 2016 (https://arxiv.org/abs/1606.04080), without its query set.

    Args:
        labels: The class of each image, n of them.
        classes_per_block: Ways; fewer where there are fewer classes.
        images_per_class: Shots; fewer where a class has fewer images.
        passes: As many images are drawn in all as in so many passes over them.
        seed: Of the draw.

    Raises:
        DataError: No pair of the same class, or none of different classes, can be made.
    """
    members = _members(labels)
    rng = np.random.default_rng(seed)
    ways = min(classes_per_block, len(members))
    classes = _Deck(sorted(members), rng)
    with_pairs = _Deck([label for label in sorted(members) if len(members[label]) > 1], rng)
    images = {label: _Deck(members[label], rng) for label in sorted(members)}
    drawn = 0
    while drawn < passes * len(labels):
        chosen = classes.draw(ways)
        if all(len(members[label]) == 1 for label in chosen):
            chosen[0] = with_pairs.draw(1)[0]
        block = [
            image
            for label in chosen
            for image in images[label].draw(min(images_per_class, len(members[label])))
        ]
        drawn += len(block)
        yield _with_all_pairs(block)


def all_pairs(
    labels: Sequence[bytes], block_size: int, passes: int, seed: int
) -> Iterator[Block]:
    """Blocks of random images, with all their pairs; each image once a pass.

    Args:
        labels: The class of each image, n of them.
        block_size: Images in a block; a pass's images are divided as evenly as can be.
        passes: Passes over the images.
        seed: Of the draw.

    Raises:
        DataError: No pair of the same class, or none of different classes, can be made.
    """
    _members(labels)
    rng = np.random.default_rng(seed)
    blocks = max(1, min(-(-len(labels) // block_size), len(labels) // 2))
    for _ in range(passes):
        for block in np.array_split(rng.permutation(len(labels)), blocks):
            yield _with_all_pairs(block.tolist())


def random_partners(labels: Sequence[bytes], partners: int, seed: int) -> Iterator[Block]:
    """Plain pairs: each image with random others, whatever their class, as in the 2019 article.

    Args:
        labels: The class of each image, n of them.
        partners: Different partners of each image, never itself; fewer where there are fewer.
        seed: Of the draw.

    Raises:
        DataError: No pair of the same class, or none of different classes, can be made.
    """
    _members(labels)
    rng = np.random.default_rng(seed)
    count = len(labels)
    for anchor in range(count):
        others = rng.choice(count - 1, min(partners, count - 1), replace=False)
        for other in others.tolist():
            yield _plain_pair(anchor, other + (other >= anchor))


def held_out_pairs(
    labels: Sequence[bytes], partners: int, max_images: int, seed: int
) -> Iterator[Block]:
    """Plain pairs to judge by: each image with as many of its own class as of others.

    No pair of images occurs twice. A class with few images gives fewer pairs of the same class.

    Args:
        labels: The class of each image, n of them.
        partners: Partners drawn for each image, half of them of its class.
        max_images: Images to draw from, at most; classes give in turn.
        seed: Of the draw.

    Raises:
        DataError: No pair of the same class, or none of different classes, can be made.
    """
    members = _members(labels)
    rng = np.random.default_rng(seed)
    pool = _in_turn([rng.permutation(members[label]).tolist() for label in sorted(members)])
    pool = sorted(pool[:max_images])
    seen: set[tuple[int, int]] = set()
    for anchor in pool:
        same = [i for i in pool if labels[i] == labels[anchor] and i != anchor]
        different = [i for i in pool if labels[i] != labels[anchor]]
        for others in (same, different):
            drawn = rng.permutation(len(others))[: partners // 2]
            for other in (others[i] for i in drawn.tolist()):
                pair = (min(anchor, other), max(anchor, other))
                if pair not in seen:
                    seen.add(pair)
                    yield _plain_pair(*pair)


class _Deck:
    """Cards drawn without repetition until all have been drawn, then shuffled anew."""

    def __init__(self, cards: Sequence, rng: np.random.Generator) -> None:
        self._cards = list(cards)
        self._rng = rng
        self._left: list = []

    def draw(self, count: int) -> list:
        """`count` different cards, at most all of them."""
        hand: list = []
        while len(hand) < count:
            if not self._left:
                self._left = [self._cards[i] for i in self._rng.permutation(len(self._cards))]
            # A deck shuffled within a draw may show a card again that is in the hand already.
            at = next(i for i, card in enumerate(self._left) if card not in hand)
            hand.append(self._left.pop(at))
        return hand


def _members(labels: Sequence[bytes]) -> dict[bytes, list[int]]:
    """The images of each class, where pairs of both kinds can be made of them."""
    members: dict[bytes, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        members[label].append(index)
    if len(members) < 2:
        raise DataError(
            f"{len(labels)} images of {len(members)} class(es) make no pair of different classes; "
            "two classes at least are needed"
        )
    if all(len(indices) < 2 for indices in members.values()):
        raise DataError(
            f"{len(labels)} images of {len(members)} classes make no pair of the same class; "
            "add images, or give this split a larger share"
        )
    return members


def _in_turn(queues: list[list[int]]) -> list[int]:
    """The first of each queue, then the second of each, and so on."""
    longest = max(len(queue) for queue in queues)
    return [queue[i] for i in range(longest) for queue in queues if i < len(queue)]


def _with_all_pairs(images: Sequence[int]) -> Block:
    left, right = zip(*combinations(range(len(images)), 2), strict=True)
    return Block(tuple(images), left, right)


def _plain_pair(left: int, right: int) -> Block:
    return Block((left, right), (0,), (1,))
