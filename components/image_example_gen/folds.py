"""Deals images to folds: each image is judged once, by a model that learned from the other folds.

A fold's images of a class come in pairs of groups where possible: a fold with a single group of a
class has no pair of that class.
"""

from __future__ import annotations

from collections.abc import Mapping

from components.image_example_gen.splitting import Assigned, Quota
from records import features

DEFAULT = 5
"""Number of folds where they are chosen automatically."""

LEAST = 3
"""Images of a class, of different groups, that folds need: two for a pair, one to learn from."""


class FoldQuota(Quota):
    """What a class still has to give to each fold, in groups; folds are named by their numbers."""

    def give(self, split: str, images: int) -> None:
        """Assign a group, whatever its size."""
        super().give(split, 1)

    def forced(self) -> None:
        """Return None: no fold must get a group."""

    def order(self, images: int) -> tuple[str, ...]:
        """Return the folds, which take turns among equals by their number."""
        return tuple(self.remaining)


def in_fold(image: Assigned) -> Assigned:
    """Return an image that was assigned to a fold in place of a split."""
    return image._replace(split=features.TRAIN, fold=int(str(image.split)))


def number_of_folds(totals: Mapping[str, tuple[int, int]], most: int) -> int:
    """Return the number of folds: fewer than `most` if no class has two groups for each.

    Args:
        totals: Numbers of images and of groups of each class.
        most: `splits.folds`.
    """
    groups = max((groups for _, groups in totals.values()), default=0)
    return min(most, max(2, -(-groups // 2)))


def fold_quotas(totals: Mapping[str, tuple[int, int]], most: int) -> dict[str, FoldQuota]:
    """Return how many groups of each class each fold gets.

    A class with fewer groups than twice the folds is in fewer folds; of a class with one group, no
    model is left that could judge it.

    Args:
        totals: Numbers of images and of groups of each class.
        most: `splits.folds`.
    """
    count = number_of_folds(totals, most)
    names = [str(fold) for fold in range(count)]
    quotas: dict[str, FoldQuota] = {}
    for turn, (label, (_, groups)) in enumerate(sorted(totals.items())):
        used = min(count, max(min(2, groups), -(-groups // 2)))
        each, more = divmod(groups, used)
        remaining = dict.fromkeys(names, 0)
        for place in range(used):
            # Classes take turns, so that the first fold is not the largest.
            remaining[names[(turn + place) % used]] = each + (place < more)
        quotas[label] = FoldQuota(groups, groups, remaining, dict.fromkeys(names, 0))
    return quotas
