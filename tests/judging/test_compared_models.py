"""What the candidate is compared with: on which images, and what the gate makes of it."""

import numpy as np
import pytest
from judge_views import held_out, judged

from judging.gate import LAST_BLESSED, PRETRAINED_ENCODER, RAW_PIXELS
from judging.settings import METRICS, Thresholds

LENIENT = {"auc": 0.5, "class_accuracy": None, "worst_class_recall": None}


def test_differences_are_of_the_same_images(found):
    compared = found.judgement.compared
    assert set(compared) == {LAST_BLESSED, PRETRAINED_ENCODER, RAW_PIXELS}
    before = compared[LAST_BLESSED]
    assert set(before.differences) == set(METRICS)
    for name, difference in before.differences.items():
        own, theirs = found.judgement.metrics[name], before.metrics[name]
        assert difference.value == pytest.approx(own.value - theirs.value)
        assert difference.low <= difference.value <= difference.high
        # Narrower than of two models that err on unrelated images.
        if name in ("class_accuracy", "auc", "open_set_auc", "episode_accuracy"):
            apart = np.hypot(own.value - own.low, theirs.high - theirs.value)
            assert difference.value - difference.low < apart
    assert set(compared[PRETRAINED_ENCODER].differences) == {
        "class_accuracy", "worst_class_recall", "open_set_auc", "episode_accuracy",
    }  # fmt: skip
    assert set(compared[RAW_PIXELS].differences) == {"class_accuracy", "worst_class_recall"}


def test_a_model_against_itself_does_not_differ(images_and_view):
    images, view = images_and_view
    before = judged(images, view, {LAST_BLESSED: view}).judgement.compared[LAST_BLESSED]
    for name, difference in before.differences.items():
        assert difference.value == 0
        widest = 0.5 if name in ("worst_class_recall", "precision") else 0.13
        assert -widest < difference.low <= 0 <= difference.high < widest


@pytest.fixture(scope="module")
def by_heart():
    """Images, a fair model, and one that knows a part of them by heart and nothing of the others.

    The unknown are seen by the latter in part, too.
    """
    images, view = held_out(classes=4, each=15, spread=0.6, unknown=10, same=0.1)
    trained_on = np.arange(60) % 15 < 12
    directions = np.eye(12)[np.repeat(np.arange(4), 15)]
    rng = np.random.default_rng(0)
    embeddings = np.where(trained_on[:, None], directions, rng.permutation(directions))
    unknown = rng.normal(0, 1, (10, 12))
    before = view._replace(
        embeddings=embeddings,
        unknown=unknown,
        trained_on=trained_on,
        trained_on_unknown=np.arange(10) < 4,
    )
    return images, view, before


def test_the_last_blessed_model_is_compared_on_images_that_it_has_not_seen(by_heart):
    images, view, before = by_heart
    found = judged(images, view, {LAST_BLESSED: before, PRETRAINED_ENCODER: before}).judgement
    compared = found.compared[LAST_BLESSED]
    assert (compared.left_out, compared.unknown_left_out) == (48, 4)
    # As if there were no others.
    some, unknown = ~before.trained_on, np.arange(10) >= 4
    alone = judged(
        images.only(some), view.only(some, unknown), {LAST_BLESSED: before.only(some, unknown)}
    ).judgement
    assert compared.metrics == alone.compared[LAST_BLESSED].metrics
    assert compared.differences == alone.compared[LAST_BLESSED].differences
    assert compared.own == alone.metrics
    assert compared.differences["auc"].images == 12
    assert compared.differences["open_set_auc"].images == 18
    assert set(compared.differences) == set(METRICS)
    # The model's own figures and the other comparisons go by all.
    unsaid = before._replace(trained_on=None, trained_on_unknown=None)
    whole = judged(images, view, {LAST_BLESSED: unsaid, PRETRAINED_ENCODER: before}).judgement
    assert found.metrics == whole.metrics
    assert found.images == 60
    assert found.compared[PRETRAINED_ENCODER] == whole.compared[PRETRAINED_ENCODER]
    assert found.limits == (
        "compared on 12 of 60 test images and without 4 unknown images: the last blessed model "
        "was trained on the others",
    )


@pytest.mark.parametrize("name", [LAST_BLESSED, PRETRAINED_ENCODER])
def test_an_image_that_another_model_does_not_accept_is_judged_and_not_compared(by_heart, name):
    images, view, before = by_heart
    picky = before._replace(embeddings=before.embeddings.copy(), unknown=before.unknown.copy())
    picky.embeddings[[0, 1, 12, 13]], picky.unknown[0] = np.nan, np.nan  # two were seen
    found = judged(images, view, {name: picky}).judgement
    alone = judged(images, view).judgement
    assert found.metrics == alone.metrics
    assert (found.images, found.invalid) == (60, {})
    compared, trained_on = found.compared[name], 48
    assert (compared.left_out, compared.not_accepted) == (trained_on, 2)
    assert compared.differences["class_accuracy"].images == 60 - trained_on - 2
    assert found.limits == (
        f"compared on 10 of 60 test images and without 4 unknown images: the {name} was trained "
        "on 48 others and does not accept 2 others",
    )
    unseen = picky._replace(trained_on=None)
    [limit] = judged(images, view, {name: unseen}).judgement.limits
    assert limit == (
        f"compared on 56 of 60 test images and without 4 unknown images: the {name} does not "
        "accept the others"
    )


def test_what_is_known_by_heart_does_not_decide(by_heart):
    images, view, before = by_heart
    asked = Thresholds(**LENIENT, change={"auc": None, "class_accuracy": -0.1})
    fair = judged(images, view, {LAST_BLESSED: before}, asked=asked).judgement
    assert fair.verdict.outcome == "blessed"
    assert fair.compared[LAST_BLESSED].differences["class_accuracy"].value > 0.3
    # A model of before that does not say what it has seen: it is compared on all of them.
    unsaid = {"trained_on": None, "trained_on_unknown": None}
    whole = judged(images, view, {LAST_BLESSED: before._replace(**unsaid)}, asked=asked).judgement
    assert whole.compared[LAST_BLESSED].left_out == 0
    assert whole.limits == ()
    assert whole.verdict.outcome == "not_blessed"


@pytest.mark.parametrize("left", [0, 1, 2])
def test_too_few_unseen_images_leave_the_comparison_open(by_heart, left):
    images, view, before = by_heart
    before = before._replace(trained_on=np.arange(60) >= left)  # what is left is of one class
    wanted = {"class_accuracy": 0.0} if left == 0 else {}
    asked = Thresholds(**LENIENT, change={"auc": -0.5, **wanted})
    found = judged(images, view, {LAST_BLESSED: before}, asked=asked).judgement
    assert found.verdict.outcome == "undecided"
    checks = [c for c in found.verdict.checks if "last blessed" in c.metric]
    assert [c.outcome for c in checks] == ["undecided"] * (1 + len(wanted))
    told = f"compared on {left} of 60 test images and without 4 unknown images: the last"
    assert all(told in c.note for c in checks)
    assert told in found.verdict.reasons[0]


@pytest.mark.parametrize("left", [0, 1, 2])
def test_nor_do_they_where_classes_were_held_out(by_heart, left):
    images, view, before = by_heart
    others = view.support._replace(labels=np.char.add("other ", view.support.labels))
    before = before._replace(trained_on=np.arange(60) >= left, support=others)
    asked = Thresholds(**LENIENT, change={"auc": -0.5}, better_than_chance=False)
    found = judged(
        images, view._replace(support=others), {LAST_BLESSED: before}, asked=asked
    ).judgement
    assert found.classified_by == "other test images"
    assert found.verdict.outcome == "undecided"
    assert f"compared on {left} of 60 test images" in found.verdict.reasons[0]


def test_without_an_unseen_unknown_image_open_set_metrics_are_missing(by_heart):
    images, view, before = by_heart
    before = before._replace(trained_on=None, trained_on_unknown=np.ones(10, bool))
    found = judged(images, view, {LAST_BLESSED: before}).judgement
    compared = found.compared[LAST_BLESSED]
    assert set(METRICS) - set(compared.differences) == {"open_set_auc", "open_set_accuracy"}
    assert found.metrics["open_set_auc"].images == 70
    assert found.limits == (
        "compared without 10 unknown images: the last blessed model was trained on these or does "
        "not accept them",
    )
