"""Writes `report.html` and `MODEL_CARD.md`, both from the same numbers."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from images.audit.findings import Audit
from judging.judgement import Judgement
from judging.settings import Thresholds
from pipeline.config.reading import dump
from pipeline.config.run_config import RunConfig
from pipeline.report import figures, rendering, sections
from pipeline.runs.outcome import Outcome
from pipeline.runs.summary import Summary

REPORT, MODEL_CARD = "report.html", "MODEL_CARD.md"


class Findings(NamedTuple):
    """What to report; any part may be missing.

    Attributes:
        name: Of the pipeline, or of the exported model.
        summary: Of a run.
        judgement: Of a model.
        config: Of a run.
        support_root: Folder of the support images' files, for those that the judged examples do not
            hold; empty: unknown, and they are not shown.
        audit: Of a run's images.
    """

    name: str
    summary: Summary | None = None
    judgement: Judgement | None = None
    config: RunConfig | None = None
    support_root: str = ""
    audit: Audit | None = None


def write_report(folder: Path, findings: Findings) -> Path:
    """Write `report.html`, and `MODEL_CARD.md` if a model was judged; return the page's path.

    The page is one file without scripts that loads nothing.
    """
    context = _context(findings)
    page = folder / REPORT
    _write(page, rendering.html().get_template("page.html.j2").render(context))
    if findings.judgement:
        card = rendering.markdown().get_template("model_card.md.j2")
        _write(folder / MODEL_CARD, card.render(context))
    return page


def _write(path: Path, text: str) -> None:
    # Renamed at the end, so that nobody opens half of it.
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(unfinished, path)


def _context(findings: Findings) -> dict[str, Any]:
    summary, judgement = findings.summary, findings.judgement
    run = summary.run if summary else None
    context: dict[str, Any] = {
        "name": findings.name,
        "made": datetime.now(timezone.utc),
        "summary": summary,
        "run": run,
        "judgement": judgement,
        "outcome": _outcome(summary, judgement),
        "reasons": (summary and summary.reasons) or (judgement and judgement.verdict.reasons) or (),
        "described": _metric_descriptions(),
        "training": summary.training if summary else None,
        "curves": figures.learning_curves(summary.training or {}) if summary else [],
        "data": sections.data(summary.data) if summary and summary.data else None,
        "audit": sections.audited(findings.audit) if findings.audit else None,
        "config": findings.config,
        "config_lines": dump(findings.config).splitlines() if findings.config else [],
        "versions": sections.versions(),
        "lineage": sections.lineage(run) if run else [],
        "most_files": sections.MAX_FILES,
    }
    if judgement:
        context |= sections.judged(judgement, findings.support_root)
    return context


def _outcome(summary: Summary | None, judgement: Judgement | None) -> Outcome | None:
    """Return the outcome of the run, else of the judgement; None if nothing was judged."""
    if summary and summary.failure:
        return Outcome.FAILED
    # The run's may differ from the Judge's: a model that fails InfraCheck is not blessed.
    found = (summary and summary.outcome) or (judgement and judgement.verdict.outcome)
    return Outcome(found) if found else None


def _metric_descriptions() -> dict[str, str]:
    """Return a sentence for each metric, the same as in the configuration's reference."""
    return {
        name: (field.description or "").rstrip(".")
        for name, field in Thresholds.model_fields.items()
    }
