"""Widens intervals of what was judged in folds.

The models of two folds share most of what they have learned, so their errors are not independent
(Bengio and Grandvalet 2004, https://www.jmlr.org/papers/v5/grandvalet04a.html: there is no unbiased
estimate of the variance), and the final model has learned from more images than they. As in Bates,
Hastie and Tibshirani 2023 (https://arxiv.org/abs/2104.00673) the interval is widened; by how much
is measured (`benchmarks.fold_coverage`).
"""

from __future__ import annotations

import math
from typing import TypeVar

from judging.judgement import Compared, CostOfThreshold, Immutable, Measure

_Part = TypeVar("_Part")

SHARE, DIFFERENCE, _COST = (0.0, 1.0), (-1.0, 1.0), (0.0, math.inf)


def widened(part: _Part, folds: int | None, bounds: tuple[float, float] = SHARE) -> _Part:
    """Return measures, or what contains some, with wider intervals.

    Args:
        part: A `Measure`, another part of a judgement, or a dict or tuple of these.
        folds: Number of folds k: intervals are wider by the square root of k / (k - 1), as if they
            rested on the share of the images that each model has learned from. None: no folds.
        bounds: Of the measures, `SHARE` or `DIFFERENCE`.
    """
    return part if folds is None else _widened(part, math.sqrt(folds / (folds - 1)), bounds)


def _widened(part, factor: float, bounds: tuple[float, float]):
    if isinstance(part, Measure):
        low = part.value - factor * (part.value - part.low)
        high = part.value + factor * (part.high - part.value)
        return part.model_copy(update={"low": max(low, bounds[0]), "high": min(high, bounds[1])})
    if isinstance(part, dict):
        return {name: _widened(value, factor, bounds) for name, value in part.items()}
    if isinstance(part, tuple):
        return tuple(_widened(value, factor, bounds) for value in part)
    if isinstance(part, Immutable):
        return part.model_copy(
            update={
                name: _widened(value, factor, _bounds(part, name, bounds)) for name, value in part
            }
        )
    return part


def _bounds(part: Immutable, name: str, bounds: tuple[float, float]) -> tuple[float, float]:
    if isinstance(part, Compared) and name == "differences":
        return DIFFERENCE
    return _COST if isinstance(part, CostOfThreshold) and name == "cost" else bounds
