"""What the tables on a terminal are made of."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

from judging.judgement import Check, Measure
from pipeline.runs.outcome import CheckOutcome


def make_table(*columns: str) -> Table:
    """A table; `>` before a column's name sets it to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        table.add_column(
            column.removeprefix(">"), justify="right" if right else "left", no_wrap=right
        )
    return table


def checks_table(checks: Iterable[Check]) -> Table:
    """Thresholds and what became of them."""
    table = make_table("Threshold", ">Value", ">95 % interval", "Wanted", "")
    for check in checks:
        table.add_row(
            check.metric,
            *numbers(check.measure),
            check.wanted,
            Text(check.outcome, style=CheckOutcome(check.outcome).colour),
        )
    return table


def numbers(measure: Measure | None) -> tuple[str, str]:
    """A measure's value and interval; empty where there is none."""
    if measure is None:
        return "", ""
    return f"{measure.value:.4f}", f"{measure.low:.4f} to {measure.high:.4f}"
