"""A model is compared with the last blessed one."""

import logging

import pytest
import tensorflow as tf

from components.judge.exported_model import JudgedModel, ModelError
from components.judge.judgement_files import read_image_outcomes
from components.judge.last_blessed import last_served
from judging.gate import LAST_BLESSED
from judging.settings import Thresholds
from tests.components.judge.stand_in import GOOD, WORSE, StandIn, keys_of


def test_a_worse_one_than_the_last_blessed_is_not(judging, saved):
    thresholds = Thresholds(auc=0.5, class_accuracy=None, worst_class_recall=None)
    found = judging(saved("worse", WORSE), before=saved("good"), thresholds=thresholds)
    assert found.outcome == "not_blessed"
    [reason] = found.judgement.verdict.reasons
    assert reason.startswith("auc against the last blessed model -0.")
    assert found.judgement.compared[LAST_BLESSED].differences["auc"].high < 0
    lines = read_image_outcomes(found.folder)
    assert all(set(line.others) == {LAST_BLESSED} for line in lines)


def test_a_better_one_than_the_last_blessed_is(judging, saved):
    found = judging(saved("good"), before=saved("worse", WORSE))
    assert found.outcome == "blessed"
    assert found.judgement.compared[LAST_BLESSED].differences["class_accuracy"].low > 0
    assert found.blessing.get_string_custom_property("baseline_model") == str(saved("worse"))


def test_without_a_resolver_the_served_model_is_the_last_blessed(judging, saved, tmp_path):
    base = tmp_path / "serving"
    base.mkdir()
    (base / "5").symlink_to(saved("worse", WORSE) / "Format-Serving")
    (base / "12").symlink_to(saved("good") / "Format-Serving")  # this very model, pushed before
    (base / "13").mkdir()  # not whole yet
    (base / "junk").mkdir()
    found = judging(saved("good"), served=base)
    assert found.judgement.compared[LAST_BLESSED].model == str(base / "5")
    assert last_served(str(base), str(saved("worse") / "Format-Serving")) == str(base / "12")
    assert last_served(str(tmp_path / "nowhere"), "x") is None


def test_a_last_blessed_model_of_an_older_kind_is_passed_over(judging, saved, tmp_path):
    old = tf.Module()
    old.model = StandIn(GOOD)
    signatures = {"embed": old.model.embed}
    tf.saved_model.save(old, str(tmp_path / "old/Format-Serving"), signatures=signatures)
    assert judging(saved("good"), before=tmp_path / "old").judgement.compared == {}
    with pytest.raises(ModelError, match="has no support set, as models exported by an older"):
        JudgedModel(str(tmp_path / "old/Format-Serving"))
    with pytest.raises(ModelError, match="is no SavedModel"):
        JudgedModel(str(tmp_path))


@pytest.mark.parametrize("scored_by", [None, "cosine", "margin"])
def test_a_model_says_what_it_scores_by_and_an_older_one_scores_by_cosine(tmp_path, scored_by):
    model = StandIn(GOOD)
    if scored_by:
        model.support.scored_by = tf.Variable(scored_by)
    tf.saved_model.save(model, str(tmp_path), signatures={"embed": model.embed})
    assert JudgedModel(str(tmp_path)).support.scored_by == (scored_by or "cosine")


def test_a_last_blessed_model_is_compared_on_images_that_it_has_not_seen(judging, saved, caplog):
    before = saved("learned", WORSE, seen=keys_of(12, range(0, 48, 3)))
    with caplog.at_level(logging.INFO):
        found = judging(saved("good"), before=before).judgement
    compared = found.compared[LAST_BLESSED]
    assert (compared.left_out, compared.differences["class_accuracy"].images) == (16, 32)
    assert compared.own["class_accuracy"].images == 32
    assert found.metrics["class_accuracy"].images == found.images == 48
    assert found.invalid == {}
    [limit] = found.limits
    assert limit.startswith("compared on 32 of 48 test images: the last blessed")
    assert limit in caplog.text
    assert "does not say" not in caplog.text


def test_one_that_has_seen_all_of_them_decides_nothing(judging, saved):
    before = saved("knows all", seen=keys_of(12, range(48)))
    found = judging(saved("good"), before=before)
    assert found.outcome == "undecided"
    assert "compared on 0 of 48 test images" in found.judgement.verdict.reasons[0]


def test_one_that_does_not_say_is_compared_on_all(judging, saved, caplog):
    found = judging(saved("good"), before=saved("unsaid", WORSE, seen=None)).judgement
    assert found.compared[LAST_BLESSED].left_out == 0
    assert found.compared[LAST_BLESSED].differences["class_accuracy"].images == 48
    assert found.limits == ()
    assert "the last blessed model does not say which images it was trained on" in caplog.text


def test_an_older_models_smaller_limit_takes_no_test_image_from_the_candidate(judging, saved):
    found = judging(saved("good"), before=saved("small limit", limit=1.2)).judgement
    assert (found.images, found.invalid) == (48, {})
    compared = found.compared[LAST_BLESSED]
    assert 0 < compared.not_accepted < 24
    assert compared.differences["class_accuracy"].images == 48 - compared.not_accepted
    assert "does not accept the others" in found.limits[0]
