"""A whole run whose images are in folds; only the encoder is tiny."""

import json
from pathlib import Path
from typing import NamedTuple

import yaml
from command_line import run_here
from made_once import made_once
from pipeline_folder import LENIENT
from sample_images import write_classes
from tiny_encoder import write_encoder

CLASSES, EACH, SPREAD, FOLDS = 3, 50, 60, 3


class FoldedRun(NamedTuple):
    """`siamese run` of `parts.yaml`, and what it has left.

    Attributes:
        place: The folder, which `tests/test_loop.py` goes on with; others read what is named here.
        stdout: What the command printed.
        run: The run's folder.
        outcomes: The Judge's file of all images.
        evaluation: The Evaluator's folder.
    """

    place: Path
    stdout: str
    run: Path
    outcomes: Path
    evaluation: Path


def folded_run(tmp_path_factory) -> FoldedRun:
    """Return the run, which is made once for all tests."""

    def make(folder):
        write_classes(folder / "data/span-1", CLASSES, EACH, size=24, spread=SPREAD)
        write_encoder(folder / "encoder.keras")
        (folder / "parts.yaml").write_text(yaml.safe_dump(CONFIG))
        done = run_here(folder, "parts.yaml")
        assert done.exit_code == 0, done.everything
        [run] = folder.glob("runs/parts/runs/*")
        [outcomes] = folder.glob("runs/parts/pipeline/Judge/judgement/*/outcomes.jsonl")
        [evaluation] = folder.glob("runs/parts/pipeline/Evaluator/evaluation/*")
        found = [str(folder), done.stdout, str(run), str(outcomes), str(evaluation)]
        (folder / "found.json").write_text(json.dumps(found))

    folder = made_once(tmp_path_factory, "folded_run", make)
    place, stdout, *paths = json.loads((folder / "found.json").read_text())
    return FoldedRun(Path(place), stdout, *map(Path, paths))


CONFIG = {
    "name": "parts",
    "data": {"root": "data/span-{SPAN}"},
    "image": {"size": 16},
    "splits": {"folds": FOLDS},
    "model": {"backbone": "./encoder.keras"},
    "training": {"views": 1},
    "thresholds": {**LENIENT, "auc": 0, "better_than_chance": False, "change": {"auc": -1}},
    # A server starts in each of `test_end_to_end.py`'s checks.
    "push": {"infra_check": None},
    "traffic": {"random": 0.05, "per_hour": 1000, "embeddings": 1.0},
}
