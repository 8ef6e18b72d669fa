"""A whole run whose images are in folds; only the encoder is tiny."""

import json
from collections import Counter

import pytest
from folded_run import CLASSES, EACH, folded_run

from base.errors import UserError
from pipeline.config.reading import load
from pipeline.runs.held_out import held_out_images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return folded_run(tmp_path_factory)


@pytest.fixture(scope="module")
def judgement(first):
    return json.loads((first.run / "judgement.json").read_text())


def test_the_run_says_how_the_images_were_judged(first):
    assert "in 3 folds" in first.stdout
    text = (first.run / "report.html").read_text()
    assert "in 3 folds of" in text
    assert "each judged by one of 3 models" in text


def test_every_image_is_judged_once(first, judgement):
    assert judgement["folds"] == 3
    assert judgement["images"] == CLASSES * EACH
    assert judgement["invalid"] == {}
    outcomes = [json.loads(line) for line in first.outcomes.read_text().splitlines()]
    assert Counter(one["label"] for one in outcomes) == dict.fromkeys(
        ("class-0", "class-1", "class-2"), EACH
    )
    for one in outcomes:
        assert one["source"] not in one["nearest"]
        assert set(one["others"]) == {"raw pixels", "pretrained encoder"}


def test_the_evaluator_has_judged_the_same(first, judgement):
    import tensorflow_model_analysis as tfma

    result = tfma.load_eval_result(str(first.evaluation))
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


def test_the_model_has_no_held_out_images(first):
    config = load(first.run / "config.yaml")
    with pytest.raises(UserError, match=r"has learned from every image \(splits.folds\)"):
        held_out_images(config)
