"""The component's outcomes and what it leaves, for a model alone."""

import json

import numpy as np
import pytest
from judge_views import clouds

from base.errors import DataError
from components.image_example_gen.report import IngestionReport
from components.judge import embedding, executor
from components.judge.judgement_files import read_image_outcomes, read_pair_outcomes
from judging.settings import Thresholds
from records.lost import RecordsLost
from tests.components.judge.stand_in import CLASSES, COLLAPSED, keys_of


def test_a_good_model_is_blessed(judging, saved):
    found = judging(saved("good"))
    assert found.outcome == "blessed"
    assert found.judgement.images == 48
    assert found.judgement.metrics["class_accuracy"].value > 0.9
    assert found.judgement.compared == {}
    # The first one is compared with none.
    assert [c.outcome for c in found.judgement.verdict.checks].count("skipped") == 1
    assert found.blessing.get_string_custom_property("current_model") == str(saved("good"))
    assert found.blessing.get_string_custom_property("component_id") == "Judge"
    lines = list(read_image_outcomes(found.folder))
    assert [line.id for line in lines] == [f"{i:04d}" for i in range(48)]
    right = np.mean([line.predicted == line.label for line in lines])
    assert right == found.judgement.metrics["class_accuracy"].value
    pairs = list(read_pair_outcomes(found.folder))
    assert len(pairs) == sum(found.judgement.pairs.values())


def test_images_that_the_candidate_has_seen_are_excluded(judging, saved):
    found = judging(saved("some", seen=keys_of(12, (0, 1, 47)))).judgement
    assert found.images == 45
    assert found.invalid == dict.fromkeys(
        ("c0/0.png", "c0/1.png", "c3/47.png"), "the model was trained on it"
    )


def test_a_candidate_that_has_seen_all_of_them_is_not_judged(judging, saved):
    with pytest.raises(DataError, match=r"none of the 48 test images .* c0/0\.png: the model was"):
        judging(saved("knows all", seen=keys_of(12, range(48))))


def test_a_collapsed_encoder_is_not_blessed(judging, saved):
    found = judging(saved("collapsed", COLLAPSED), thresholds=Thresholds(auc=0.4))
    assert found.outcome == "not_blessed"
    assert found.judgement.metrics["auc"].value == 0.5


def test_without_thresholds_nothing_is_blessed(judging, saved):
    found = judging(saved("good"), thresholds=None)
    assert found.outcome == "not_blessed"
    assert "no threshold is set" in found.judgement.verdict.reasons[0]


def test_too_few_images_are_undecided(judging, saved):
    wanted = Thresholds(class_accuracy={"at_least": 0.95, "bound": "lower"})
    found = judging(saved("good"), each=3, thresholds=wanted)
    assert found.outcome == "undecided"
    assert "12 test images are too few to decide: about" in found.judgement.verdict.reasons[-1]


def test_labels_that_mean_nothing_are_not_blessed(judging, saved):
    names = np.random.default_rng(0).permutation(clouds(CLASSES, 12, 0.3, 0)[1]).tolist()
    found = judging(saved("good"), labels=names, thresholds=Thresholds(auc=0.0))
    assert found.outcome != "blessed"


def test_the_evaluators_word_counts(judging, saved, monkeypatch):
    monkeypatch.setattr(
        "components.judge.tfma_verdict.tfma.load_validation_result", lambda _: _Failed
    )
    found = judging(saved("good"), evaluator=0)
    assert found.outcome == "not_blessed"
    assert found.judgement.verdict.reasons == ("auc by TFMA: it is 0.800",)


class _Failed:
    """As TFMA's proto, which is heavy to build."""

    from tensorflow_model_analysis.proto import validation_result_pb2

    _failure = validation_result_pb2.ValidationFailure()
    _failure.metric_key.name = "auc"
    _failure.metric_value.double_value.value = 0.8
    _failure.metric_threshold.value_threshold.lower_bound.value = 0.9
    metric_validations_per_slice = [
        validation_result_pb2.MetricsValidationForSlice(failures=[_failure])
    ]


def test_an_evaluator_that_blessed_adds_nothing(judging, saved):
    assert judging(saved("good"), evaluator=1).outcome == "blessed"


def test_embeddings_lost_on_the_way_are_told_of(judging, saved, monkeypatch):
    counts = {"test": 49}
    report = IngestionReport(
        root="", files=49, reencoded=0, expected_classes=["a"], classes={"a": counts},
        excluded=[], near_duplicates=[],
    )  # fmt: skip
    monkeypatch.setattr(executor, "_report", lambda _: report)
    with pytest.raises(RecordsLost, match="embeddings are of 48 of 49 test images: Beam's runner"):
        judging(saved("good"))


def test_an_image_that_the_model_takes_for_none_is_named(judging, saved, monkeypatch):
    def spoiled(record, item=embedding.item):
        one = item(record)
        return one._replace(image=b"junk") if one.id == b"0000" else one

    monkeypatch.setattr(embedding, "item", spoiled)
    found = judging(saved("good"))
    assert found.judgement.images == 47
    assert list(found.judgement.invalid.values()) == ["the model does not accept it as an image"]


def test_the_same_again_is_the_same(judging, saved, tmp_path):
    one = judging(saved("good"), pretrained=True)
    text = (tmp_path / "judgement/judgement.json").read_text()
    assert json.loads(text)["verdict"]["outcome"] == one.outcome
    assert len(text) < 60_000
