"""Measures how well one property alone tells the classes apart, and whether that is chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

_MAX_BINS = 16
_IMAGES_A_BIN = 5
_PERMUTATIONS = 999
_SEED = 0
_OWN = 0.8
"""Recall and precision from which a class has values of its own."""


class Separability(NamedTuple):
    """How well a property tells classes apart.

    Attributes:
        accuracy: Mean recall of the classes, leave-one-out.
        gain: 0 at chance, 1 if all images are told apart.
        own: The classes that have values of their own.
    """

    accuracy: float
    gain: float
    own: tuple[str, ...]


class Histogram:
    """A classifier by the values of one property.

    An image is given the class whose images most often, relative to the class's size, share its
    bin; it does not count itself (leave-one-out). So the classifier needs no fit and no scale, and
    takes numbers and names alike. A number has a bin for each value if there are few, and bins of
    equal frequency otherwise.

    Args:
        values: A number, or anything with an order and a name, per image; None: unknown.
        labels: Their classes.
    """

    def __init__(self, values: Sequence[Any], labels: Sequence[str]) -> None:
        self._names, self._classes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
        self._bins = _bins(values)

    @property
    def constant(self) -> bool:
        """Whether all images have the same value, or there is one class only."""
        return len(self._names) < 2 or int(self._bins.max()) == 0

    def separability(self) -> Separability:
        """Return how well the property tells the classes apart."""
        recall, precision = _recall_and_precision(self._bins, self._classes)
        accuracy, chance = float(recall.mean()), 1 / len(self._names)
        own = self._names[(recall >= _OWN) & (precision >= _OWN)]
        return Separability(accuracy, (accuracy - chance) / (1 - chance), tuple(own.tolist()))

    def p_value(self) -> float:
        """Return the probability of such a separation by chance: a permutation test.

        It compares the mean probability of an image's own class in its bin, which also counts a
        class that has values of its own among many that share theirs.
        """
        random = np.random.default_rng(_SEED)
        reached = _probability(self._bins, self._classes) - 1e-9
        as_good = sum(
            _probability(self._bins, random.permutation(self._classes)) >= reached
            for _ in range(_PERMUTATIONS)
        )
        return float((1 + as_good) / (1 + _PERMUTATIONS))


def _bins(values: Sequence[Any]) -> np.ndarray:
    """Return the bin of each value, int64 [n]; those of unknown values are one bin."""
    known = [value for value in values if value is not None]
    distinct = sorted(set(known))
    if all(isinstance(value, int | float) for value in known) and len(distinct) > _MAX_BINS:
        count = min(_MAX_BINS, max(2, len(known) // _IMAGES_A_BIN))
        edges = np.quantile(np.array(known, float), np.arange(1, count) / count)
        found = [-1 if v is None else int(np.searchsorted(edges, v, "right")) for v in values]
    else:
        places = {value: i for i, value in enumerate(distinct)}
        found = [-1 if value is None else places[value] for value in values]
    return np.unique(found, return_inverse=True)[1]


def _counts(bins: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the images of each bin and class, those of each class, and their quotient."""
    height, width = int(bins.max()) + 1, int(classes.max()) + 1
    counts = np.bincount(bins * width + classes, minlength=height * width).reshape(height, width)
    sizes = counts.sum(0)
    return counts, sizes, counts / sizes


def _probability(bins: np.ndarray, classes: np.ndarray) -> float:
    """Return the mean leave-one-out probability of an image's class in its bin."""
    counts, sizes, rates = _counts(bins, classes)
    own = (counts - 1) / np.maximum(sizes - 1, 1)
    probability = own / np.maximum(rates.sum(1)[:, None] - rates + own, 1e-12)
    return float((counts * probability).sum(0) @ (1 / sizes) / len(sizes))


def _recall_and_precision(bins: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and precision of each class, as if all were equally large, [classes] each.

    A tie is an error.
    """
    counts, sizes, rates = _counts(bins, classes)
    rows = np.arange(len(counts))
    best = rates.argmax(1)
    second = rates.copy()
    second[rows, best] = -1
    rivals = np.repeat(rates.max(1)[:, None], rates.shape[1], 1)
    rivals[rows, best] = second.max(1)
    correct = (counts - 1) / np.maximum(sizes - 1, 1) > rivals + 1e-12
    recall = (counts * correct).sum(0) / sizes
    predicted = (rates.sum(1)[:, None] * correct).sum(0)
    return recall, (rates * correct).sum(0) / np.maximum(predicted, 1e-12)
