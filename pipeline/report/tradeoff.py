"""What other thresholds would cost: false accepts against false rejects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from judging.judgement import Curve, Threshold

_RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
"""False accept rates that a row is made for."""


class Row(NamedTuple):
    """A threshold with its numbers of cases; `own`: whether it is the model's."""

    threshold: float
    false_accepts: int
    false_rejects: int
    own: bool = False


class Tradeoff(NamedTuple):
    """The rows, by threshold, and the numbers of cases that they are of."""

    rows: Sequence[Row]
    positives: int
    negatives: int


def tradeoff(curve: Curve, own: Threshold) -> Tradeoff:
    """Return thresholds with few false accepts, and the model's own.

    Args:
        curve: The scores on the test images.
        own: The model's threshold on the same.
    """
    positives, negatives = sum(curve.positives), sum(curve.negatives)
    thresholds = np.array(curve.thresholds)
    accepts = np.rint(np.array(curve.false_accepts) * negatives).astype(int)
    rejects = np.rint((1 - np.array(curve.true_accepts)) * positives).astype(int)
    rows: dict[tuple[int, int], Row] = {}
    for rate in _RATES:
        allowed = np.flatnonzero((accepts <= rate * negatives) & np.isfinite(thresholds))
        if len(allowed):
            i = min(allowed.tolist(), key=lambda k: (rejects[k], accepts[k]))
            row = Row(float(thresholds[i]), int(accepts[i]), int(rejects[i]))
            rows[row.false_accepts, row.false_rejects] = row
    if np.isfinite(own.value) and np.isfinite(own.false_accepts.value):
        at = round(own.false_accepts.value * negatives), round(own.false_rejects.value * positives)
        rows[at] = Row(own.value, *at, own=True)
    return Tradeoff(sorted(rows.values(), key=lambda row: -row.threshold), positives, negatives)
