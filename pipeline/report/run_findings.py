"""Reads what a run has found, for its report."""

from __future__ import annotations

from pathlib import Path

from components.judge.heat_maps import HeatMaps, read_heat_maps
from components.judge.judgement_files import read_image_outcomes, read_judgement
from images.audit.findings import Audit, read_audit
from judging.judgement import Judgement
from judging.outcomes import ImageOutcome
from pipeline.config.run_config import RunConfig
from pipeline.report.points import read_points
from pipeline.report.report import Findings
from pipeline.report.sections import MAX_RUNS
from pipeline.runs.run_folders import list_runs
from pipeline.runs.summary import Summary


def read_findings(folder: Path, summary: Summary, config: RunConfig) -> Findings:
    """Return the findings of a run that has just ended.

    Args:
        folder: The run's folder, which holds the judgement and the audit if there are any.
        summary: The run's.
        config: The run's.
    """
    judged = (folder / Judgement.FILE).is_file()
    runs = list_runs(config.root, config.name, MAX_RUNS)
    return Findings(
        config.name,
        summary,
        read_judgement(str(folder)) if judged else None,
        config,
        audit=read_audit(folder / Audit.FILE),
        outcomes=_outcomes(summary) if judged else (),
        heat_maps=_heat_maps(summary) if judged else {},
        points=read_points(summary.run) if judged and summary.run else None,
        earlier=[one for one in reversed(runs) if one.id != summary.id],
    )


def _heat_maps(summary: Summary) -> dict[str, HeatMaps]:
    """Return heat maps of errors by image id; none if the Judge's folder is gone."""
    judgement = summary.run.output("Judge", "judgement") if summary.run else None
    return read_heat_maps(judgement.uri) if judgement else {}


def _outcomes(summary: Summary) -> list[ImageOutcome]:
    """Return the outcome of each test image; none if the Judge's folder is gone."""
    judgement = summary.run.output("Judge", "judgement") if summary.run else None
    try:
        return list(read_image_outcomes(judgement.uri)) if judgement else []
    except FileNotFoundError:
        return []
