"""A folder for whole runs, and what they leave in it; only the encoder is tiny."""

import json

import pytest
import yaml
from command_line import siamese
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
    return sorted(path.name for path in (place / "runs/few/serving").glob("*"))
