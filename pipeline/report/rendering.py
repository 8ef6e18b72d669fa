"""The templates' environments and filters.

Users' texts (class names, file names, messages) are escaped here, by the environments: a template
cannot forget to.
"""

from __future__ import annotations

import math
import os
import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from base.printable import printable
from judging.judgement import Measure
from judging.number_text import number, signed
from pipeline.runs.outcome import CheckOutcome, ComponentOutcome

_LONGEST = 600
"""Characters of a text."""


@cache
def html() -> Environment:
    """Return the environment of HTML templates."""
    return _environment(autoescape=True, finalize=_html_text)


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
    environment.globals["marks"] = {o.value: o for o in (*ComponentOutcome, *CheckOutcome)}
    environment.filters |= {
        "number": _number,
        "signed": signed,
        "interval": _interval,
        "percent": _percent,
        "nearby": lambda path: path.removeprefix(f"{os.getcwd()}/"),
    }
    return environment


def _html_text(value: Any) -> Any:
    # Without control characters, those of the writing direction included.
    return _short(printable(value)) if type(value) is str else value


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


def _interval(measure: Measure) -> str:
    return f"{_number(measure.low)} to {_number(measure.high)}"


def _percent(value: float) -> str:
    # For the style sheet.
    return f"{min(1.0, max(0.0, value)) * 100 if math.isfinite(value) else 0.0:.1f}%"
