"""Tables for the terminal, and how they show measures and checks."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

from judging.judgement import Check, Measure
from judging.number_text import number
from pipeline.runs.outcome import CheckOutcome


def make_table(*columns: str) -> Table:
    """Return an empty table.

    Args:
        columns: Their headings. `>` before one aligns the column right; `!` keeps it on one line,
            for identifiers.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right, whole = column.startswith(">"), column.startswith("!")
        table.add_column(
            column.lstrip(">!"),
            justify="right" if right else "left",
            no_wrap=right or whole,
            overflow="fold",
        )
    return table


def checks_table(checks: Iterable[Check]) -> Table:
    """Return a table of thresholds and their outcomes."""
    table = make_table("Threshold", ">Value", ">95 % interval", "Required", "")
    for check in checks:
        table.add_row(
            check.metric,
            *numbers(check.measure),
            check.required,
            Text(check.outcome, style=CheckOutcome(check.outcome).colour),
        )
    return table


def numbers(measure: Measure | None) -> tuple[str, str]:
    """Return a measure's value and interval as text; empty strings for None."""
    if measure is None:
        return "", ""
    return number(measure.value), f"{number(measure.low)} to {number(measure.high)}"
