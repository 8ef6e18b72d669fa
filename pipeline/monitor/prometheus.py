"""Writes findings as a text file for Prometheus (node_exporter's textfile collector)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from monitoring.findings import MonitorFindings
from pipeline.runs.outcome import TrafficOutcome


def write_metrics(found: MonitorFindings, path: Path) -> None:
    """Write the metrics; a collector never sees half of them.

    Raises:
        OSError: The file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")  # collectors read *.prom
    unfinished.write_text(metrics(found), encoding="utf-8")
    os.replace(unfinished, path)


def metrics(found: MonitorFindings) -> str:
    """Return the metrics in Prometheus' text format."""
    named: dict[str, list[str]] = {}
    helps: dict[str, str] = {}
    version = "" if found.period.version is None else str(found.period.version)
    for name, what, labels, value in _rows(found):
        every = {"model": found.period.model, "version": version, **labels}
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in every.items())
        helps[name] = what
        named.setdefault(name, []).append(f"siamese_monitor_{name}{{{told}}} {value!r}")
    lines = []
    for name, rows in named.items():
        lines += [f"# HELP siamese_monitor_{name} {helps[name]}"]
        lines += [f"# TYPE siamese_monitor_{name} gauge", *rows]
    return "\n".join(lines) + "\n"


_Row = tuple[str, str, dict[str, str], float]


def _rows(found: MonitorFindings) -> Iterator[_Row]:
    """Yield name, help, labels and value of each metric that is known."""
    for one in TrafficOutcome:
        is_it = float(found.outcome == one.value)
        yield "outcome", "1 for the outcome of the period, else 0.", {"outcome": one.value}, is_it
    until = found.period.until.timestamp()
    yield "period_end_seconds", "End of the period, Unix time.", {}, until
    yield "images", "Different images of the period.", {}, float(found.images)
    for sample, share in (("traffic", found.unknown), ("reference", found.reference_unknown)):
        if share:
            what = "Share of images that the model takes for unknown."
            yield "unknown_share", what, {"sample": sample}, share.value
    for test in found.tests:
        labels: dict[str, str] = {"test": test.name}
        yield "drift_p_value", "P-value of a test for drift.", labels, test.p_value
        yield "drift_effect", "Effect size of a test for drift.", labels, test.effect
        yield "drift_detected", "1 if a test finds drift.", labels, float(test.drifted)
    for one_class in found.classes:
        yield (
            "class_share",
            "Share of a class in the answers.",
            {"class": one_class.label},
            (one_class.traffic),
        )
    for kind, measure in (
        ("reference", found.reference_accuracy),
        ("estimated", found.estimated_accuracy),
        ("reviewed", found.reviewed.accuracy),
    ):
        if measure and math.isfinite(measure.value):
            for bound in ("value", "low", "high"):
                what = "Accuracy of the classes, with its 95 % interval."
                of = {"kind": kind, "bound": bound}
                yield "accuracy", what, of, getattr(measure, bound)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
