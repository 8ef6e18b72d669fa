"""What a run came to: kept as `summary.json` in the run's folder, and shown at its end."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from components.image_example_gen.report import IngestionReport
from components.judge.judgement_files import read_judgement
from judging.judgement import Judgement, Measure, Verdict
from pipeline.config.run_config import RunConfig
from pipeline.gate.verdict import with_infra_check
from pipeline.runs.history import HistoryError, Run, read_runs


class Summary(BaseModel):
    """What a run came to.

    Attributes:
        failure: What went wrong, in words.
        unexpected: Whether `failure` is no message of ours, so that the log has to explain it.
        verdict: The Judge's, with its reasons.
        metrics: What the Judge measured on the test images, by name.
        report: The page for people, `report.html`; None where it could not be written.
    """

    FILE: ClassVar[str] = "summary.json"

    # A metric may be undefined, as precision is where no pair is called the same.
    model_config = ConfigDict(ser_json_inf_nan="strings")

    name: str
    started: datetime
    run: Run | None = None
    failure: str | None = None
    unexpected: bool = False
    data: IngestionReport | None = None
    pairs: dict[str, dict[str, int]] = {}
    training: dict[str, Any] | None = None
    verdict: Verdict | None = None
    metrics: dict[str, Measure] = {}
    report: str | None = None
    serving_root: str

    @property
    def outcome(self) -> str | None:
        """The verdict in a word; None where none was reached."""
        return self.run.verdict if self.run and not self.failure else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the model is blessed or not, in words."""
        return with_infra_check(self.verdict, self.run).reasons if self.verdict else ()

    def write(self, folder: Path) -> None:
        """Keep it in a run's folder."""
        # Renamed at the end, so that a run that dies here leaves no half of it.
        unfinished = folder / f".{self.FILE}"
        unfinished.write_text(self.model_dump_json(indent=2), encoding="utf-8")
        os.replace(unfinished, folder / self.FILE)

    @classmethod
    def read(cls, folder: Path) -> Summary | None:
        """That of a run's folder; None where there is none, or none that can be read."""
        path = folder / cls.FILE
        try:
            return cls.model_validate_json(path.read_bytes()) if path.is_file() else None
        except ValidationError:  # damaged, or of another version
            return None


def summarize(config: RunConfig, started: datetime, failure: str | None) -> Summary:
    """The summary of the run that has just ended, from its artifacts. Imports TFX.

    Args:
        config: The run's configuration.
        started: When it began.
        failure: What went wrong, if anything.
    """
    try:
        runs = read_runs(config.metadata, config.name, limit=1)
    except HistoryError:  # it is why the run failed
        runs = []
    run = runs[0] if runs and runs[0].started >= started.replace(microsecond=0) else None
    summary = Summary(
        name=config.name,
        started=started,
        run=run,
        failure=failure,
        serving_root=config.serving_root,
    )
    if run is None:
        return summary
    found: dict[str, Any] = {}
    if images := run.output("ImageExampleGen", "examples"):
        found["data"] = IngestionReport.read(images.uri)
    if pairs := run.output("PairGen", "pairs"):
        found["pairs"] = _pairs(pairs.uri)
    if model_run := run.output("Trainer", "model_run"):
        found["training"] = json.loads(_text(f"{model_run.uri}/training.json"))
    if judged := run.output("Judge", "judgement"):
        judgement = read_judgement(judged.uri)
        found |= {"verdict": judgement.verdict, "metrics": judgement.metrics}
    return summary.model_copy(update=found)


def copy_findings(summary: Summary, folder: Path) -> None:
    """Copy what people look at from its artifacts to a run's folder: figures, curves, judgement."""
    from tfx.dsl.io import fileio

    for component, output, name in _FINDINGS:
        found = summary.run.output(component, output) if summary.run else None
        if found and fileio.exists(f"{found.uri}/{name}"):
            fileio.copy(f"{found.uri}/{name}", str(folder / name), overwrite=True)


_FINDINGS = (
    ("Trainer", "model_run", "training.csv"),
    ("Trainer", "model_run", "curves.png"),
    ("Judge", "judgement", Judgement.FILE),
)


def _pairs(uri: str) -> dict[str, dict[str, int]]:
    from records import features

    return {s: json.loads(_text(f"{uri}/counts/{s}.json")) for s in features.SPLITS}


def _text(path: str) -> str:
    from tfx.dsl.io import fileio

    with fileio.open(path, "rb") as file:
        return file.read().decode("utf-8")
