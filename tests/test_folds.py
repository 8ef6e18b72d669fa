"""A whole run whose images are in folds; only the encoder is tiny."""

import json
from collections import Counter

import pytest
import yaml
from command_line import run_here
from pipeline_folder import LENIENT, UNSERVED
from sample_images import write_classes
from tiny_encoder import write_encoder

from base.errors import UserError
from pipeline.config.reading import load
from pipeline.runs.held_out import held_out_images

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    write_classes(folder / "data", classes=3, each=5, size=24, spread=60)
    write_encoder(folder / "encoder.keras")
    config = {
        "name": "few",
        "data": {"root": "data"},
        "image": {"size": 16},
        "model": {"backbone": "./encoder.keras"},
        "training": {"views": 2},
        "thresholds": {**LENIENT, "auc": 0, "better_than_chance": False, "change": {"auc": -1}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = run_here(folder, "config.yaml", *UNSERVED)
    assert done.exit_code == 0, done.stderr
    assert "in 3 folds" in done.stdout
    return folder


@pytest.fixture(scope="module")
def judgement(place):
    [file] = place.glob("runs/few/runs/*/judgement.json")
    return json.loads(file.read_text())


def test_every_image_is_judged_once(place, judgement):
    assert judgement["folds"] == 3
    assert judgement["images"] == 15
    assert judgement["invalid"] == {}
    [file] = place.glob("runs/few/pipeline/Judge/judgement/*/outcomes.jsonl")
    outcomes = [json.loads(line) for line in file.read_text().splitlines()]
    assert Counter(one["label"] for one in outcomes) == dict.fromkeys(
        ("class-0", "class-1", "class-2"), 5
    )
    for one in outcomes:
        assert one["source"] not in one["nearest"]
        assert set(one["others"]) == {"raw pixels", "pretrained encoder"}


def test_the_evaluator_has_judged_the_same(place, judgement):
    import tensorflow_model_analysis as tfma

    [folder] = place.glob("runs/few/pipeline/Evaluator/evaluation/*")
    result = tfma.load_eval_result(str(folder))
    [overall] = [metrics for slice_, metrics in result.slicing_metrics if slice_ == ()]
    found = {
        name: value["doubleValue"]
        for output in overall.values()
        for metrics in output.values()
        for name, value in metrics.items()
        if "doubleValue" in value
    }
    pairs = sum(judgement["pairs"].values())
    assert found["example_count"] == pairs
    for name in ("auc", "accuracy"):
        assert found[name] == pytest.approx(judgement["metrics"][name]["value"], abs=1e-3)


def test_the_model_has_no_held_out_images(place, monkeypatch):
    monkeypatch.chdir(place)
    with pytest.raises(UserError, match=r"has learned from every image \(splits.folds\)"):
        held_out_images(load("config.yaml"))


def test_the_report_says_how_the_images_were_judged(place):
    page = min(place.glob("runs/few/runs/*/report.html"))
    text = page.read_text()
    assert "in 3 folds of" in text
    assert "each judged by one of 3 models" in text


def test_the_next_model_is_compared_with_it_on_all_images(place):
    done = run_here(place, "config.yaml", *UNSERVED, "--set", "training.views=1")
    assert done.exit_code == 0, done.stderr
    latest = max(place.glob("runs/few/runs/*/judgement.json"), key=lambda path: path.parent.name)
    judgement = json.loads(latest.read_text())
    before = judgement["compared"]["last blessed model"]
    assert before["left_out"] == 0
    assert {"class_accuracy", "auc"} <= before["differences"].keys()
    checks = {one["metric"]: one["outcome"] for one in judgement["verdict"]["checks"]}
    assert checks["auc against the last blessed model"] in ("passed", "failed")
