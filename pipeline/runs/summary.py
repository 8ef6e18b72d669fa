"""The summary of a run: `summary.json` in the run's folder, shown at its end and by `show`."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from components.image_example_gen.report import IngestionReport
from components.judge.judgement_files import read_judgement
from images.audit.findings import Audit
from judging.judgement import Judgement, Measure, Verdict
from pipeline.config.run_config import RunConfig
from pipeline.gate.verdict import with_infra_check
from pipeline.runs.history import HistoryError, Run, read_run
from pipeline.runs.outcome import Outcome
from storage.file_systems import download, exists, open_file


class Summary(BaseModel):
    """What is known of a run.

    Attributes:
        id: The name of the run's folder.
        name: The pipeline's.
        run: Its components and their outputs.
        unfinished: `running` or `interrupted`; None for a run that ended.
        failure: The error that ended it.
        unexpected: Whether `failure` does not explain itself, so that the log is needed.
        verdict: The Judge's, with its reasons.
        metrics: The Judge's measurements on the test images, by name.
        report: Path of `report.html`; None if it could not be written.
        serving_root: Base path of the pushed models.
    """

    FILE: ClassVar[str] = "summary.json"

    # A metric may be undefined, such as precision if no pair is predicted to be the same.
    model_config = ConfigDict(ser_json_inf_nan="strings")

    id: str = ""
    name: str
    started: datetime
    run: Run | None = None
    unfinished: Outcome | None = None
    failure: str | None = None
    unexpected: bool = False
    data: IngestionReport | None = None
    pairs: dict[str, dict[str, int]] = {}
    training: dict[str, Any] | None = None
    verdict: Verdict | None = None
    metrics: dict[str, Measure] = {}
    report: str | None = None
    serving_root: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def outcome(self) -> Outcome | None:
        """The run's outcome; None if no model was judged in it."""
        if self.unfinished or self.failure:
            return self.unfinished or Outcome.FAILED
        return self.run.verdict if self.run else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the model is blessed or not."""
        return with_infra_check(self.verdict, self.run).reasons if self.verdict else ()

    def write(self, folder: Path) -> None:
        """Write it into a run's folder."""
        # Renamed at the end, so that a run that dies here leaves no half of it.
        unfinished = folder / f".{self.FILE}"
        unfinished.write_text(self.model_dump_json(indent=2), encoding="utf-8")
        os.replace(unfinished, folder / self.FILE)

    @classmethod
    def read(cls, folder: Path) -> Summary | None:
        """Return the summary in a run's folder; None if there is none yet."""
        path = folder / cls.FILE
        if not path.is_file():
            return None
        try:
            found = cls.model_validate_json(path.read_bytes())
        except ValidationError:
            return cls(
                id=folder.name,
                name=folder.parent.parent.name,
                started=datetime.fromtimestamp(path.stat().st_mtime, timezone.utc),
                failure=f"{path}: is damaged, or was written by another version of this project",
                serving_root="",
            )
        return found if found.id else found.model_copy(update={"id": folder.name})


def record_failure(config: RunConfig, folder: Path, failure: str) -> Summary:
    """Write the summary of a run whose process died without writing one.

    Args:
        config: The run's configuration.
        folder: The run's folder.
        failure: The reason, if known.
    """
    started = datetime.fromtimestamp((folder / "config.yaml").stat().st_mtime, timezone.utc)
    summary = _summary(config, folder.name, started, failure)
    summary.unexpected = True
    summary.write(folder)
    return summary


def summarize(config: RunConfig, run_id: str, started: datetime, failure: str | None) -> Summary:
    """Return the summary of a run that has just ended, from its artifacts. Imports TFX.

    Args:
        config: The run's configuration.
        run_id: The run's.
        started: When it began.
        failure: The error that ended it, if any.
    """
    summary = _summary(config, run_id, started, failure)
    if (run := summary.run) is None:
        return summary
    if images := run.output("ImageExampleGen", "examples"):
        summary.data = IngestionReport.read(images.uri)
    if pairs := run.output("PairGen", "pairs"):
        summary.pairs = _pairs(pairs.uri)
    if model_run := run.output("Trainer", "model_run"):
        summary.training = json.loads(_text(f"{model_run.uri}/training.json"))
    if judged := run.output("Judge", "judgement"):
        judgement = read_judgement(judged.uri)
        summary.verdict, summary.metrics = judgement.verdict, judgement.metrics
    return summary


def _summary(config: RunConfig, run_id: str, started: datetime, failure: str | None) -> Summary:
    """Return a summary without what the components found."""
    run = None
    with contextlib.suppress(HistoryError):  # which is why the run failed
        run = read_run(config.metadata, config.name, run_id)
    return Summary(
        id=run_id,
        name=config.name,
        started=started,
        run=run,
        failure=failure,
        serving_root=config.serving_root,
    )


def copy_findings(summary: Summary, folder: Path) -> None:
    """Copy audit, training history and judgement from a run's artifacts to its folder."""
    for component, output, name in _FINDINGS:
        found = summary.run.output(component, output) if summary.run else None
        if found:
            with contextlib.suppress(FileNotFoundError):
                download(f"{found.uri}/{name}", str(folder / name))


_FINDINGS = (
    ("DataCheck", "audit", Audit.FILE),
    ("Trainer", "model_run", "training.csv"),
    ("Judge", "judgement", Judgement.FILE),
)


def _pairs(uri: str) -> dict[str, dict[str, int]]:
    from records import features

    paths = {split: f"{uri}/counts/{split}.json" for split in features.SPLITS}
    return {split: json.loads(_text(path)) for split, path in paths.items() if exists(path)}


def _text(path: str) -> str:
    with open_file(path) as file:
        return file.read()
