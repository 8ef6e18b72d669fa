"""Numbers as people read them: no more digits than the number of images supports."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from judging.judgement import Measure

_ONE_DECIMAL, _TWO_DECIMALS = 30, 2000
"""Images from which on a percentage has one or two decimals."""


def number(value: float) -> str:
    """Return a metric or a score with three decimals."""
    return f"{value:.3f}"


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


def metric_text(metric: str, value: float, images: int) -> str:
    """Return a metric's value: a percentage, or `0.849` of an area under a ROC curve."""
    if not _is_area(metric):
        return percent(value, images)
    return f"{value:.{_area_digits(images)}f}" if math.isfinite(value) else "undefined"


def metric_interval(metric: str, measure: Measure) -> str:
    """Return the 95 % interval of a metric: `87.8 to 98.0 %`, or `0.767 to 0.911`."""
    if not _is_area(metric):
        return percent_interval(measure)
    ends = measure.low, measure.high
    return " to ".join(metric_text(metric, end, measure.images) for end in ends)


def change_text(metric: str, value: float, images: int) -> str:
    """Return the difference of two values of a metric: `+2.5` points, or `+0.076` of an area."""
    if not _is_area(metric):
        return points(value, images)
    return f"{value:+.{_area_digits(images)}f}" if math.isfinite(value) else "undefined"


def change_interval(metric: str, difference: Measure) -> str:
    """Return the 95 % interval of a difference: `-1.0 to +6.0`."""
    ends = difference.low, difference.high
    return " to ".join(change_text(metric, end, difference.images) for end in ends)


def is_points(metric: str) -> bool:
    """Return whether differences of a metric are percentage points."""
    return not _is_area(metric)


def is_difference(metric: str) -> bool:
    """Return whether a check's metric is the difference to another model or method."""
    return " against " in metric and not metric.endswith(" against chance")


def _is_area(metric: str) -> bool:
    return "auc" in metric.split(" ")[0].split("_")


def _area_digits(images: int) -> int:
    return 2 if images < _ONE_DECIMAL else 3


def _percentage(value: float, images: int) -> str:
    return f"{100 * value:.{_decimals(images)}f}"


def _decimals(images: int) -> int:
    return (images >= _ONE_DECIMAL) + (images >= _TWO_DECIMALS)
