"""Random pairs and images, drawn from labelled files."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path


def draw_pairs(
    images: Sequence[tuple[Path, str]], count: int, seed: int = 0
) -> list[tuple[Path, Path, bool]]:
    """Return pairs of files, alternating between same and different classes.

    Args:
        images: Files and their classes.
        count: Maximum number of pairs.
        seed: Of the random choice.

    Returns:
        Left, right, and whether both are of the same class.
    """
    rng = random.Random(seed)
    shuffled = rng.sample(list(images), len(images))
    by_kind: dict[bool, list[tuple[Path, Path, bool]]] = {True: [], False: []}
    for i, (left, label) in enumerate(shuffled):
        for right, other in shuffled[i + 1 :]:
            kind = by_kind[label == other]
            if len(kind) < count and not any(left in pair or right in pair for pair in kind):
                kind.append((left, right, label == other))
    alternating = [pair for both in zip(by_kind[True], by_kind[False]) for pair in both]  # noqa: B905
    return alternating[:count]


def draw_images(
    images: Sequence[tuple[Path, str]], count: int, seed: int = 0
) -> list[tuple[Path, str]]:
    """Return at most `count` random files and their classes."""
    return random.Random(seed).sample(list(images), min(count, len(images)))
