"""Numbers as people read them: no more digits than the number of images supports."""

from __future__ import annotations

import math

from judging.judgement import Measure

_ONE_DECIMAL, _TWO_DECIMALS = 30, 2000
"""Images from which on a percentage has one or two decimals."""


def number(value: float) -> str:
    """Return a metric or a score with three decimals."""
    return f"{value:.3f}"


def signed(value: float) -> str:
    """Return a difference of metrics with its sign and three decimals."""
    return f"{value:+.3f}"


def percent(value: float, images: int) -> str:
    """Return a share as a percentage: 0.95 of 80 images is `95.0 %`, of 20 images `95 %`.

    Args:
        value: In [0, 1]; NaN gives `undefined`.
        images: That it was measured on.
    """
    return f"{_percentage(value, images)} %" if math.isfinite(value) else "undefined"


def percent_interval(measure: Measure) -> str:
    """Return the 95 % interval of a share: `87.8 to 98.0 %`."""
    if not (math.isfinite(measure.low) and math.isfinite(measure.high)):
        return "undefined"
    low, high = (_percentage(end, measure.images) for end in (measure.low, measure.high))
    return f"{low} to {high} %"


def points(value: float, images: int) -> str:
    """Return a difference of two shares in percentage points, with its sign: `+2.5`."""
    if not math.isfinite(value):
        return "undefined"
    return f"{100 * value:+.{_decimals(images)}f}"


def _percentage(value: float, images: int) -> str:
    return f"{100 * value:.{_decimals(images)}f}"


def _decimals(images: int) -> int:
    return (images >= _ONE_DECIMAL) + (images >= _TWO_DECIMALS)
