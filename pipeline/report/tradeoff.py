"""What other thresholds would cost: false accepts against false rejects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from judging.judgement import Curve, Threshold

_RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
"""False accept rates that a row is made for."""
_MOST_POINTS = 200


class Row(NamedTuple):
    """A threshold with its numbers of cases; `own`: whether it is the model's."""

    threshold: float
    false_accepts: int
    false_rejects: int
    own: bool = False


class Tradeoff(NamedTuple):
    """What thresholds cost.

    Attributes:
        rows: Some of them, the highest first.
        positives: Number of positive cases.
        negatives: Number of negative cases.
        curve: Threshold, false accepts and false rejects of more of them, the lowest first.
    """

    rows: Sequence[Row]
    positives: int
    negatives: int
    curve: Sequence[tuple[float, int, int]]

    @property
    def curve_json(self) -> Markup:
        """The curve for the page's script."""
        return Markup(json.dumps([[round(t, 4), a, r] for t, a, r in self.curve]))


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
    finite = np.flatnonzero(np.isfinite(thresholds))[::-1]
    finite = finite[:: -(-len(finite) // _MOST_POINTS) or 1]
    points = zip(thresholds[finite], accepts[finite], rejects[finite], strict=True)
    return Tradeoff(
        sorted(rows.values(), key=lambda row: -row.threshold),
        positives,
        negatives,
        [(float(t), int(a), int(r)) for t, a, r in points],
    )
