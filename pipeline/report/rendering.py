"""The templates' environments and filters.

Users' texts (class names, file names, messages) are escaped here, by the environments: a template
cannot forget to.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from base.printable import printable
from judging.judgement import Measure
from judging.metric_names import metric_name
from judging.number_text import (
    change_interval,
    change_text,
    is_difference,
    is_points,
    metric_interval,
    metric_text,
    number,
    percent,
)
from pipeline.runs.outcome import CheckOutcome, ComponentOutcome, Outcome, TrafficOutcome

_LONGEST = 600
"""Characters of a text."""

_OUTCOMES = (*Outcome, *ComponentOutcome, *CheckOutcome, *TrafficOutcome)

_ENDS = (0.0, 0.25, 0.5, 0.75, 0.8, 0.9)
"""Lower ends of scales of shares."""


@cache
def html() -> Environment:
    """Return the environment of HTML templates."""
    return _environment(autoescape=True, finalize=_html_text)


@cache
def script() -> str:
    """Return the page's script."""
    return (resources.files("pipeline.report") / "templates" / "page.js").read_text("utf-8")


@cache
def markdown() -> Environment:
    """Return the environment of Markdown templates: inserted text is escaped by `finalize`."""
    return _environment(autoescape=False, finalize=_markdown_text)


def _environment(**options: Any) -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
    environment.globals["marks"] = {o.value: o for o in _OUTCOMES}
    environment.filters |= {
        "number": _number,
        "value": _value,
        "interval": _interval,
        "is_difference": is_difference,
        "difference": _difference,
        "change": _change,
        "change_interval": _change_interval,
        "percent": percent,
        "metric_name": metric_name,
        "on_scale": _on_scale,
        "scale_text": lambda low: f"{100 * low:.0f} to 100 %",
        "nearby": lambda path: path.removeprefix(f"{os.getcwd()}/"),
    }
    return environment


def _html_text(value: Any) -> Any:
    # Without control characters, those of the writing direction included.
    return (
        _short(printable(value)).replace(" %", "\N{NO-BREAK SPACE}%")
        if type(value) is str
        else value
    )


def _markdown_text(value: Any) -> Any:
    if type(value) is not str:
        return value
    text = _short(printable(value))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", text)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _number(value: float | None) -> str:
    return "undefined" if value is None or not math.isfinite(value) else number(value)


def _value(measure: Measure, metric: str = "") -> str:
    return metric_text(metric, measure.value, measure.images)


def _interval(measure: Measure, metric: str = "") -> str:
    return metric_interval(metric, measure)


def _difference(measure: Measure, metric: str = "") -> str:
    """Return a difference of two models' metrics, with its interval."""
    return f"{_change(measure, metric)} ({_change_interval(measure, metric)})"


def _change(measure: Measure, metric: str = "") -> str:
    value = change_text(metric, measure.value, measure.images)
    return f"{value} points" if is_points(metric) else value


def _change_interval(measure: Measure, metric: str = "") -> str:
    return change_interval(metric, measure)


def _on_scale(value: float, low: float) -> str:
    """Return the place of a share on a scale from `low` to 1, for the style sheet."""
    place = (value - low) / (1 - low) if math.isfinite(value) else 0.0
    return f"{100 * min(1.0, max(0.0, place)):.1f}%"


def scale(measures: Iterable[Measure]) -> float:
    """Return the lower end of a scale up to 1 that holds the intervals of all shares."""
    low = min((m.low for m in measures if math.isfinite(m.low)), default=0.0)
    return max(end for end in _ENDS if end <= max(low, 0.0))
