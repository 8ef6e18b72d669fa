"""Pairs of test images, told the same or different by their similarity. NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from components.data_error import DataError
from components.judge import roc
from components.judge.intervals import covariance
from components.pair_gen.sampling import held_out_pairs

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


def measure(
    pairs: Pairs,
    scores: Sequence[np.ndarray],
    thresholds: Sequence[float],
    resamples: int,
    seed: int,
) -> Metrics:
    """Measure models on the same pairs.

    Args:
        pairs: The pairs.
        scores: Of each model the similarities, float [p].
        thresholds: Of each model, at and above which it calls a pair the same.
        resamples: See `intervals.covariance`.
        seed: See there.
    """
    metrics = _metrics(pairs.same, scores, thresholds)
    values = metrics(np.ones((1, len(pairs.same)), "float32"))
    images, ends = np.unique(np.stack([pairs.left, pairs.right]), return_inverse=True)
    left, right = ends.reshape(2, -1)
    found = covariance(metrics, len(images), (left, right), resamples, seed)
    return Metrics(values.reshape(len(scores), -1), found)


def _metrics(
    same: np.ndarray, scores: Sequence[np.ndarray], thresholds: Sequence[float]
) -> Callable[[np.ndarray], np.ndarray]:
    ranked = [roc.Ranked(s, same) for s in scores]
    # As the served graph compares: in single precision.
    yes = [
        np.asarray(s, "float32") >= np.float32(t) for s, t in zip(scores, thresholds, strict=True)
    ]
    # Weights times these give the weight of each kind of case.
    kinds = np.stack([same, ~same, *(k for y in yes for k in (y & same, y & ~same))], axis=1)
    kinds = kinds.astype("float32")

    def values(weights: np.ndarray) -> np.ndarray:
        columns = []
        sums = (weights @ kinds).astype("float64").T
        positive, negative = sums[:2]
        with np.errstate(invalid="ignore", divide="ignore"):
            for i, order in enumerate(ranked):
                below = order.below(weights)
                hits, taken = sums[2 + 2 * i : 4 + 2 * i]
                columns += [
                    roc.auc(*below),
                    (hits + negative - taken) / (positive + negative),
                    hits / (hits + taken),
                    hits / positive,
                    roc.equal_error_rate(*below),
                    taken / negative,
                    1 - hits / positive,
                ]
        return np.stack(columns, axis=1)

    return values
