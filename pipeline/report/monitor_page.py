"""Writes the page of `siamese monitor`: one file that loads nothing and runs no script."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from monitoring.findings import MonitorFindings
from pipeline.monitor.output import accuracy_lines, effect_text, heading, other_notes
from pipeline.report import figures, rendering
from pipeline.runs.outcome import TrafficOutcome


def write_page(path: Path, name: str, found: MonitorFindings) -> None:
    """Write the page.

    Args:
        path: The file.
        name: Of the pipeline.
        found: What monitoring found.

    Raises:
        OSError: It cannot be written.
    """
    scores = found.scores
    figure = scores and figures.mirrored(
        scores.edges, ("traffic", scores.traffic), ("judged images", scores.reference)
    )
    text = (
        rendering.html()
        .get_template("monitor.html.j2")
        .render(
            name=name,
            made=datetime.now(timezone.utc),
            outcome=TrafficOutcome(found.outcome),
            found=found,
            heading=heading(found),
            accuracy=list(accuracy_lines(found)) if found.images else [],
            notes=list(other_notes(found)),
            histogram=figure,
            effect_text=effect_text,
        )
    )
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(unfinished, path)
