"""What every benchmark prints and writes."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def report(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    json_file: Path | None,
    notes: Sequence[str] = (),
) -> None:
    """Print rows as a table, and write them as JSON.

    Args:
        title: Of the benchmark.
        rows: Dicts with the same keys, which are the columns; None is shown as a dash.
        json_file: Where to write; None writes nothing.
        notes: Sentences below the table.
    """
    console = Console(width=140)
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in rows[0]:
        number = all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)
    if json_file:
        found = {
            "title": title,
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "rows": list(rows),
            "notes": list(notes),
        }
        json_file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return str(value)
