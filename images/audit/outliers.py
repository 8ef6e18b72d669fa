"""Tells which values lie far from those of the same class."""

from __future__ import annotations

import numpy as np

_ENOUGH = 8
"""Images from which a class's own median and spread are used instead of the whole data set's."""

_DEVIATIONS = 4.0


def distances(values: np.ndarray, labels: np.ndarray, floor: float) -> np.ndarray:
    """Return how many limits each value is from its class's median; beyond -1 or 1 is an outlier.

    The limit is four standard deviations, estimated from the median absolute deviation, since
    outliers do not change that. Images are compared within their class: a difference between
    classes is what a model is to learn.

    Args:
        values: float64 [n].
        labels: The classes, [n].
        floor: Smallest limit.

    Returns:
        float64 [n].
    """
    found = np.zeros(len(values))
    for label in set(labels.tolist()):
        mine = labels == label
        like = values[mine] if mine.sum() >= _ENOUGH else values
        middle = np.median(like)
        deviation = 1.4826 * np.median(np.abs(like - middle))
        found[mine] = (values[mine] - middle) / max(_DEVIATIONS * deviation, floor)
    return found
