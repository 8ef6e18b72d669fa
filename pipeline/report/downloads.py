"""The numbers of a judgement as CSV files, inside the page."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from judging.judgement import Judgement
from judging.metric_names import metric_name
from judging.outcomes import ImageOutcome

MAX_ROWS = 3000
"""A file with more rows would make the page too large; the run's folder has them all."""


class Download(NamedTuple):
    """A file to download: its name, a few words, and its contents as a data URI."""

    file: str
    text: str
    uri: str


def downloads(judgement: Judgement, outcomes: Sequence[ImageOutcome]) -> list[Download]:
    """Return the files; those that would be too large are left out."""
    classes: list[tuple[Any, ...]] = [
        (one.label, one.images, one.support, one.recall.value, one.recall.low, one.recall.high,
         one.precision.value if one.precision else "")
        for one in judgement.classes
    ]  # fmt: skip
    files: list[tuple[str, str, tuple[str, ...], list[tuple[Any, ...]]]] = [
        ("metrics.csv", "metrics with 95 % intervals",
         ("metric", "name", "value", "low", "high", "images"),
         [(key, metric_name(key), m.value, m.low, m.high, m.images)
          for key, m in judgement.metrics.items()]),
        ("classes.csv", "recall and precision of each class",
         ("class", "test images", "support images", "recall", "low", "high", "precision"),
         classes),
        ("confusion.csv", "the confusion matrix, without empty cells",
         ("true class", "predicted class", "images"),
         [(c.truth, c.predicted, c.images) for c in judgement.confusion]),
        ("images.csv", "the outcome of each test image",
         ("file", "class", "predicted", "correct", "score", "score of own class", "known"),
         [(o.source, o.label, o.predicted, o.label == o.predicted, o.score, o.own_score, o.known)
          for o in outcomes]),
    ]  # fmt: skip
    return [
        Download(name, f"{text}, {len(rows)} rows", _csv(columns, rows))
        for name, text, columns, rows in files
        if 0 < len(rows) <= MAX_ROWS
    ]


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    data = file.getvalue().encode("utf-8", "backslashreplace")
    return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(data).decode('ascii')}"


def _cell(value: Any) -> Any:
    """Return a cell; text that a spreadsheet would run as a formula is quoted."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
