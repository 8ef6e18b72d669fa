"""Pairs of test images, told the same or different by their similarity. NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from base.errors import DataError
from judging.statistics.influence import Estimate, complement, share, stacked
from judging.statistics.intervals import by_pairs
from judging.statistics.roc import Ranked, auc, equal_error_rate
from records.pair_sampling import held_out_pairs

METRICS = (
    "auc", "accuracy", "precision", "recall", "equal_error_rate", "false_accepts", "false_rejects",
)  # fmt: skip
"""What is measured, in this order."""


class Pairs(NamedTuple):
    """Pairs among n images.

    Attributes:
        left: int [p], an image each.
        right: int [p], another.
        same: bool [p], whether both are of one class.
    """

    left: np.ndarray
    right: np.ndarray
    same: np.ndarray


class Metrics(NamedTuple):
    """What several models come to on the same pairs.

    Attributes:
        values: float64 [k, m], of each model each of `METRICS`.
        covariance: float64 [k * m, k * m], with the images.
    """

    values: np.ndarray
    covariance: np.ndarray


def draw_pairs(labels: np.ndarray, partners: int, most_images: int, seed: int) -> Pairs:
    """The pairs that PairGen makes of the same images, and the Evaluator has judged.

    Args:
        labels: str [n], in the order of the images' ids.
        partners: As PairGen's `held_out_partners`.
        most_images: As its `held_out_max_images`.
        seed: As its own.

    Raises:
        DataError: No pair of the same class, or none of different classes, can be made.
    """
    blocks = held_out_pairs([str(x).encode() for x in labels], partners, most_images, seed)
    ends = np.array([block.images for block in blocks], int).reshape(-1, 2)
    if not len(ends):
        raise DataError(f"{len(labels)} images make no pairs of both kinds")
    return Pairs(ends[:, 0], ends[:, 1], labels[ends[:, 0]] == labels[ends[:, 1]])


def measure(pairs: Pairs, ranked: Sequence[Ranked], yes: Sequence[np.ndarray]) -> Metrics:
    """Measure models on the same pairs.

    Args:
        pairs: The pairs.
        ranked: Of each model the pairs in the order of their similarities.
        yes: Of each model which pairs it calls the same, bool [p].
    """
    values, influence = stacked(
        [_metrics(pairs.same, order, said) for order, said in zip(ranked, yes, strict=True)]
    )
    # Images that are in no pair do not count.
    _, ends = np.unique(np.stack([pairs.left, pairs.right]), return_inverse=True)
    return Metrics(values, by_pairs(influence, *ends.reshape(2, -1)))


def called_same(similarities: np.ndarray, threshold: float) -> np.ndarray:
    """Which pairs a model calls the same, bool [p]: as the served graph compares, in float32."""
    return np.asarray(similarities, "float32") >= np.float32(threshold)


def _metrics(same: np.ndarray, ranked: Ranked, yes: np.ndarray) -> list[Estimate]:
    found = share(yes, same)
    return [
        auc(ranked),
        share(yes == same, np.ones(len(same), bool)),
        share(same, yes),
        found,
        equal_error_rate(ranked),
        share(yes, ~same),
        complement(found),
    ]
