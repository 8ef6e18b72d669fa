"""The influence of each case on a metric, from which its variance follows.

The influence of a case is how fast the metric changes as the case's weight grows
(Hampel 1974, https://doi.org/10.1080/01621459.1974.10482962).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A metric of p cases.

    Attributes:
        value: NaN if it is not defined.
        influence: float64 [p], of each case; the sum is zero.
    """

    value: float
    influence: np.ndarray


def share(hits: np.ndarray, among: np.ndarray) -> Estimate:
    """Return the share of hits among some of the cases.

    Args:
        hits: bool [p].
        among: bool [p], which cases count; if none does, the share is not defined.
    """
    count = int(among.sum())
    if not count:
        return Estimate(np.nan, np.full(len(among), np.nan))
    value = float((hits & among).sum() / count)
    return Estimate(value, among * (hits - value) / count)


def mean(one: Estimate, other: Estimate, weight: float = 0.5) -> Estimate:
    """Return the mean of two metrics of the same cases; `weight` is that of the first."""
    return Estimate(
        weight * one.value + (1 - weight) * other.value,
        weight * one.influence + (1 - weight) * other.influence,
    )


def complement(one: Estimate) -> Estimate:
    """Return 1 - share."""
    return Estimate(1 - one.value, -one.influence)


def centred(influence: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Return the influence of each case beside others of its kind, with a mean of zero in each.

    Where the number of cases of each kind is fixed beforehand, they are two samples: the metric
    varies with the cases within each kind, and not with what the kinds differ by on average
    (Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.2,
    https://doi.org/10.1017/CBO9780511802843).

    Args:
        influence: float64 [k, p], of each of p cases on each of k metrics.
        positive: bool [p], the kind of each case.
    """
    found = influence.copy()
    for kind in (positive, ~positive):
        if kind.any():
            found[:, kind] -= influence[:, kind].mean(axis=1, keepdims=True)
    return found


def stacked(estimates: Sequence[Sequence[Estimate]]) -> tuple[np.ndarray, np.ndarray]:
    """Return values float64 [k, m] and influences float64 [k * m, p] of m metrics of k models."""
    values = np.array([[one.value for one in row] for row in estimates])
    return values, np.stack([one.influence for row in estimates for one in row])
