"""What a run came to: kept as `summary.json` in the run's folder, and shown at its end."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from components.image_example_gen.report import IngestionReport
from pipeline.config import RunConfig, Thresholds
from pipeline.history import Run, read_runs


class Metric(BaseModel):
    """A metric on the test pairs, beside what it must reach.

    Attributes:
        name: As in the `thresholds` section.
        value: The candidate's.
        least: The least value that blesses; None: anything.
        passed: Whether it is reached.
    """

    # A metric may be undefined, as precision is where no pair is called the same.
    model_config = ConfigDict(ser_json_inf_nan="strings")

    name: str
    value: float
    least: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the threshold, if any, is reached."""
        return self.least is None or self.value >= self.least


class Summary(BaseModel):
    """What a run came to.

    Attributes:
        failure: What went wrong, in words.
        unexpected: Whether `failure` is no message of ours, so that the log has to explain it.
    """

    FILE: ClassVar[str] = "summary.json"

    model_config = Metric.model_config

    name: str
    started: datetime
    run: Run | None = None
    failure: str | None = None
    unexpected: bool = False
    data: IngestionReport | None = None
    pairs: dict[str, dict[str, int]] = {}
    training: dict[str, Any] | None = None
    metrics: list[Metric] = []
    serving_root: str

    @property
    def blessed(self) -> bool | None:
        """The verdict; None where none was reached."""
        return self.run.blessed if self.run and not self.failure else None

    @property
    def reasons(self) -> list[str]:
        """Why the model is not blessed, in words."""
        below = [
            f"{metric.name} {metric.value:.4f} is below {metric.least:.4f}"
            for metric in self.metrics
            if not metric.passed
        ]
        problem = self.run.infra_problem if self.run else None
        return [*below, f"it cannot be served: {problem}"] if problem else below

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
    runs = read_runs(config.metadata, config.name, limit=1)
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
    if evaluation := run.output("Evaluator", "evaluation"):
        found["metrics"] = _metrics(evaluation.uri, config.thresholds)
    return summary.model_copy(update=found)


def copy_curves(summary: Summary, folder: Path) -> None:
    """Copy the training's figures and curves from its artifact to a run's folder."""
    from tfx.dsl.io import fileio

    model_run = summary.run.output("Trainer", "model_run") if summary.run else None
    for name in ("training.csv", "curves.png"):
        if model_run and fileio.exists(f"{model_run.uri}/{name}"):
            fileio.copy(f"{model_run.uri}/{name}", str(folder / name), overwrite=True)


def _pairs(uri: str) -> dict[str, dict[str, int]]:
    from components import features

    return {s: json.loads(_text(f"{uri}/counts/{s}.json")) for s in features.SPLITS}


def _text(path: str) -> str:
    from tfx.dsl.io import fileio

    with fileio.open(path, "rb") as file:
        return file.read().decode("utf-8")


def _metrics(uri: str, thresholds: Thresholds) -> list[Metric]:
    import tensorflow_model_analysis as tfma

    def overall(model: str | None) -> dict[str, float]:
        result = tfma.load_eval_result(uri, model_name=model)
        values = result.get_metrics_for_slice() or {}
        return {
            name: value["doubleValue"] for name, value in values.items() if "doubleValue" in value
        }

    names = tfma.load_eval_result(uri).config.model_specs
    candidate = overall(tfma.CANDIDATE_KEY if len(names) > 1 else None)
    metrics = [
        Metric(name=name, value=candidate[name], least=getattr(thresholds, name))
        for name in ("auc", "accuracy", "precision", "recall")
        if name in candidate
    ]
    if len(names) > 1 and thresholds.max_auc_drop is not None:
        before = overall(tfma.BASELINE_KEY)["auc"]
        metrics.append(
            Metric(
                name="auc against the last blessed model's",
                value=candidate["auc"] - before,
                least=-thresholds.max_auc_drop,
            )
        )
    return metrics
