"""Writes `report.html` and `MODEL_CARD.md`, both from the same numbers."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from components.judge.heat_maps import HeatMaps
from images.audit.findings import Audit
from judging.judgement import Judgement
from judging.outcomes import ImageOutcome
from judging.settings import Thresholds
from pipeline.config.reading import dump
from pipeline.config.run_config import RunConfig
from pipeline.report import figures, headline, rendering, sections
from pipeline.report.album import make_album
from pipeline.report.downloads import downloads
from pipeline.report.heat_maps import drawn
from pipeline.report.points import Points
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
        outcomes: Of the test images.
        points: The embeddings of all images.
        heat_maps: Of the most confident errors, by image id.
        earlier: Runs of the same pipeline before this one, the latest last.
    """

    name: str
    summary: Summary | None = None
    judgement: Judgement | None = None
    config: RunConfig | None = None
    support_root: str = ""
    audit: Audit | None = None
    outcomes: Sequence[ImageOutcome] = ()
    points: Points | None = None
    heat_maps: Mapping[str, HeatMaps] = {}
    earlier: Sequence[Summary] = ()


def write_report(folder: Path, findings: Findings) -> Path:
    """Write `report.html`, and `MODEL_CARD.md` if a model was judged; return the page's path.

    The page is one file that loads nothing; its script alone may run in it.
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
        "reasons": _reasons(summary, judgement),
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
        "facts": headline.facts(judgement) if judgement else [],
        "worries": headline.worries(judgement, findings.audit, summary.data if summary else None),
        "glance": None,
        "confused": [],
        "trend": sections.trend([*findings.earlier, summary]) if summary else None,
        "downloads": [],
        "album": None,
        "heat_maps": drawn(findings.heat_maps),
    }
    if judgement:
        context |= sections.judged(judgement, findings.support_root)
        context["downloads"] = downloads(judgement, findings.outcomes)
        context["album"] = make_album(
            judgement, findings.outcomes, findings.points, findings.support_root
        )
    return context | {"contents": list(_contents(context)), **_script(context)}


def _contents(context: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield id and title of the page's sections."""
    album = context["album"]
    for id_, title, shown in (
        ("verdict", "Verdict", True),
        ("metrics", "Results", context["judgement"]),
        ("trend", "Last runs", context["judgement"] and context["trend"]),
        ("map", "Map", album and album.figure),
        ("confusion", "Confusion", context["judgement"]),
        ("classes", "Classes", context["judgement"] and context["judgement"].classes),
        ("gallery", "Gallery", album and album.legend and context["judgement"].classes),
        ("errors", "Errors", any(context.get(k) for k in ("errors", "suspects", "hard_pairs"))),
        ("trade-off", "Thresholds", context.get("decisions")),
        ("training", "Training", context["training"]),
        ("data", "Data", context["judgement"] or context["data"] or context["audit"]),
        ("downloads", "Downloads", context["downloads"]),
        ("run", "Run", True),
    ):
        if shown:
            yield id_, title


def _script(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the page's script, and its hash: the browser runs no other."""
    text = rendering.script()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"script": Markup(text), "script_hash": f"sha256-{digest}"}


def _outcome(summary: Summary | None, judgement: Judgement | None) -> Outcome | None:
    """Return the outcome of the run, else of the judgement; None if nothing was judged."""
    if summary and summary.failure:
        return Outcome.FAILED
    # The run's may differ from the Judge's: a model that fails InfraCheck is not blessed.
    found = (summary and summary.outcome) or (judgement and judgement.verdict.outcome)
    return Outcome(found) if found else None


def _reasons(summary: Summary | None, judgement: Judgement | None) -> list[str]:
    told = (summary and summary.reasons) or (judgement and judgement.verdict.reasons) or ()
    return headline.reasons(told, judgement.verdict.checks if judgement else ())


def _metric_descriptions() -> dict[str, str]:
    """Return a sentence for each metric, the same as in the configuration's reference."""
    return {
        name: (field.description or "").rstrip(".")
        for name, field in Thresholds.model_fields.items()
    }
