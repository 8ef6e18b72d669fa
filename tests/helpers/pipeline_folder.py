"""A folder for whole runs, and what they leave in it; only the encoder is tiny."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from command_line import siamese, siamese_process
from made_once import made_once
from sample_images import write_classes
from tiny_encoder import write_encoder

LENIENT = {
    "auc": 0.5,
    "class_accuracy": None,
    "worst_class_recall": None,
    "no_worse_than_reference_methods": False,
}
"""Thresholds that tiny models of a few images reach."""

UNSERVED = ["--set", "push.infra_check=null"]  # where a test is about something else


def write_pipeline_folder(folder):
    """Put images, an untrained encoder, and the configuration of a pipeline `few` into it."""
    # So unlike within a class that no model of this size tells all of them apart.
    write_classes(folder / "data", classes=3, each=20, size=24, spread=160)
    write_encoder(folder / "encoder.keras")
    (folder / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "few",
                "data": {"root": "data"},
                "image": {"size": 16},
                "model": {"backbone": "./encoder.keras", "embedding_size": 8},
                "training": {"recipe": "fine_tuned", "epochs": 4, "learning_rate": 0.1},
                "thresholds": LENIENT,
                "push": {"infra_check": "embedded"},
            }
        )
    )
    return folder


def outcomes(place):
    """The last run's summary, and each of its components' outcome."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        summary = json.loads(siamese("show", "config.yaml", "--run", "latest", "--json").stdout)
    return summary, {one["id"]: one["outcome"] for one in summary["run"]["components"]}


def versions(place):
    """Of the pushed models."""
    return sorted(path.name for path in (place / "runs/few/serving").glob("[0-9]*"))


def training_history(place, name):
    """The metrics of the training of the pipeline `name`, which has had one."""
    [training] = (place / "runs" / name / "pipeline/Trainer").rglob("training.json")
    history = json.loads(training.read_text())["history"]
    return {k: v for k, v in history.items() if k not in ("seconds", "pairs_per_second")}


class FirstRun(NamedTuple):
    """`siamese run` of `write_pipeline_folder`'s configuration, as a user starts it.

    Attributes:
        place: The folder, which `tests/test_end_to_end.py` goes on with; others don't read it.
        exit_code: The command's.
        stdout: What it printed.
        stderr: Its progress.
        history: The training's metrics.
    """

    place: Path
    exit_code: int
    stdout: str
    stderr: str
    history: dict[str, list[float]]


def first_run(tmp_path_factory) -> FirstRun:
    """Return the run, which is made once for all tests."""

    def make(folder):
        place = folder / "pipeline with space"
        place.mkdir()
        done = siamese_process(write_pipeline_folder(place), "run", "config.yaml")
        history = {} if done.returncode else training_history(place, "few")
        found = FirstRun(place, done.returncode, done.stdout, done.stderr, history)
        told = {**found._asdict(), "place": str(place)}
        (folder / "told.json").write_text(json.dumps(told))

    folder = made_once(tmp_path_factory, "first_run", make)
    told = json.loads((folder / "told.json").read_text())
    return FirstRun(**{**told, "place": Path(told["place"])})
