"""Samplers: which images form a block, and which images of a block form a pair.

A sampler takes the labels of a sequence of images and yields blocks of indices into it. The same
labels and seed give the same blocks.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, zip_longest
from typing import Any, NamedTuple, TypeVar

import numpy as np

from base.errors import DataError

_T = TypeVar("_T")


class Block(NamedTuple):
    """Images, and pairs among them.

    Attributes:
        images: m different indices into the sampled sequence.
        left: For each of p pairs, the index in `images` of its left image.
        right: That of its right image.
    """

    images: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


def class_balanced(
    labels: Sequence[bytes], classes_per_block: int, images_per_class: int, passes: int, seed: int
) -> Iterator[Block]:
    """Yield blocks of several images of each of several classes, with all their pairs.

    Classes take turns, whatever their size, and so do the images of a class; this is the episode of
    Vinyals et al. 2016 (https://arxiv.org/abs/1606.04080), without its query set.

    Args:
        labels: The class of each of n images.
        classes_per_block: Ways; fewer if there are fewer classes.
        images_per_class: Shots; fewer if a class has fewer images.
        passes: At least `passes * n` images are drawn.
        seed: Seed of the draw.

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


def all_pairs(labels: Sequence[bytes], block_size: int, passes: int, seed: int) -> Iterator[Block]:
    """Yield blocks of random images, with all their pairs; each image once per pass.

    Args:
        labels: The class of each of n images.
        block_size: Images per block; a pass is divided as evenly as possible.
        passes: Passes over the images.
        seed: Seed of the draw.

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
    """Yield plain pairs: each image with random others of any class, as in the 2019 article.

    Args:
        labels: The class of each of n images.
        partners: Different partners of each image, never itself; fewer if there are fewer.
        seed: Seed of the draw.

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
    """Yield plain pairs to judge by, alternately of the same class and of different classes.

    Both kinds are equally frequent, so that accuracy and precision need no correction for their
    ratio; the rarer kind decides how many there are. No two images are paired twice.

    Args:
        labels: The class of each of n images.
        partners: Pairs of each image, half of each kind; fewer if there are fewer partners, more
            if others lack partners.
        max_images: Maximum number of images to sample from; classes contribute in turn.
        seed: Seed of the draw.

    Raises:
        DataError: No pair of the same class, or none of different classes, can be made.
        ValueError: `max_images` is less than three, which cannot make pairs of both kinds.
    """
    if max_images < 3:
        raise ValueError(f"max_images must be at least 3 to make pairs of both kinds: {max_images}")
    members = _members(labels)
    rng = np.random.default_rng(seed)
    classes = [rng.permutation(members[label]).tolist() for label in sorted(members)]
    rng.shuffle(classes)
    pool = _stratified(classes)[:max_images]
    drawn = _members([labels[image] for image in pool])
    rings = [[pool[i] for i in indices] for indices in drawn.values()]
    same = _in_turn([list(_ring_pairs(ring, partners // 2, labels, operator.eq)) for ring in rings])
    different = _ring_pairs(rng.permutation(pool).tolist(), partners // 2, labels, operator.ne)
    for both in zip(same, different, strict=False):
        yield from (_plain_pair(*pair) for pair in both)


def covering(
    labels: Sequence[bytes], sampler: Callable[..., Iterator[Block]], *arguments: Any
) -> Iterator[Block]:
    """Yield a sampler's blocks, and others with the images that are in none of these.

    Classes take turns in `class_balanced`, so that the largest may not be drawn as a whole.

    Args:
        labels: The class of each of n images.
        sampler: A sampler.
        arguments: Its arguments after the labels.
    """
    drawn: set[int] = set()
    for block in sampler(labels, *arguments):
        drawn.update(block.images)
        yield block
    left = [image for image in range(len(labels)) if image not in drawn]
    for start in range(0, len(left), _LEFT_IN_A_BLOCK):
        images = left[start : start + _LEFT_IN_A_BLOCK]
        yield _with_all_pairs(
            images if len(images) > 1 else [*images, (images[0] or len(labels)) - 1]
        )


_LEFT_IN_A_BLOCK = 32


class _Deck:
    """Cards drawn without repetition until all have been drawn, then shuffled anew."""

    def __init__(self, cards: Sequence, rng: np.random.Generator) -> None:
        self._cards = list(cards)
        self._rng = rng
        self._left: list = []

    def draw(self, count: int) -> list:
        """Return `count` different cards, at most all of them."""
        hand: list = []
        while len(hand) < count:
            if not self._left:
                self._left = [self._cards[i] for i in self._rng.permutation(len(self._cards))]
            # A deck shuffled within a draw may show a card that is in the hand already.
            index = next(i for i, card in enumerate(self._left) if card not in hand)
            hand.append(self._left.pop(index))
        return hand


def _members(labels: Sequence[bytes]) -> dict[bytes, list[int]]:
    """Return the images of each class, if they make pairs of both kinds."""
    members: dict[bytes, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        members[label].append(index)
    if len(members) < 2:
        raise DataError(
            f"{len(labels)} images of {len(members)} class(es) make no pair of different classes; "
            "at least two classes are needed"
        )
    if all(len(indices) < 2 for indices in members.values()):
        raise DataError(
            f"{len(labels)} images of {len(members)} classes make no pair of the same class; "
            "add images, or give this split a larger share"
        )
    return members


def _stratified(classes: Sequence[list[int]]) -> list[int]:
    """Return all images, class by class in turn; the first two of a class are adjacent."""
    starts = sorted((images[:2] for images in classes), key=len, reverse=True)
    return [image for start in starts for image in start] + _in_turn(
        [images[2:] for images in classes]
    )


def _in_turn(queues: Sequence[list[_T]]) -> list[_T]:
    """Return the first of each queue, then the second of each, and so on."""
    return [one for turn in zip_longest(*queues) for one in turn if one is not None]


def _ring_pairs(
    ring: Sequence[int],
    degree: int,
    labels: Sequence[bytes],
    related: Callable[[bytes, bytes], bool],
) -> Iterator[tuple[int, int]]:
    """Yield neighbours on a ring, the nearest first, until each image is in `degree` pairs.

    If all are related this is a circulant graph, which is regular and has no pair twice.

    Args:
        ring: Images, in random order.
        degree: Pairs of each image; it may be in more, for the sake of its partners.
        labels: The class of each image.
        related: Whether images of two classes may be paired.
    """
    count = len(ring)
    pairs = dict.fromkeys(ring, 0)
    for distance in range(1, count // 2 + 1):
        if min(pairs.values()) >= degree:
            return
        # Halfway round, the second half of the ring would only repeat the first's pairs.
        for i in range(count if 2 * distance < count else distance):
            one, other = ring[i], ring[(i + distance) % count]
            pending = pairs[one] < degree or pairs[other] < degree
            if pending and related(labels[one], labels[other]):
                pairs[one] += 1
                pairs[other] += 1
                yield one, other


def _with_all_pairs(images: Sequence[int]) -> Block:
    left, right = zip(*combinations(range(len(images)), 2), strict=True)
    return Block(tuple(images), left, right)


def _plain_pair(left: int, right: int) -> Block:
    return Block((left, right), (0,), (1,))
