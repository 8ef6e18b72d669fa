"""Two judgements that were made apart agree with the one that compares both models itself."""

import numpy as np
import pytest
from judge_views import held_out

from judging.gate import LAST_BLESSED
from judging.judge import judge
from judging.judgement import Measure
from judging.settings import JudgeSettings
from judging.statistics import paired

SETTINGS = JudgeSettings()


@pytest.fixture(scope="module")
def views():
    images, one = held_out(classes=4, each=12, spread=0.45)
    other = one._replace(embeddings=held_out(classes=4, each=12, spread=0.55, seed=3)[1].embeddings)
    return images, one, other._replace(same=0.25)


@pytest.fixture(scope="module")
def both(views):
    images, one, other = views
    return [judge(images, view, {}, None, None, SETTINGS) for view in (one, other)]


@pytest.fixture(scope="module")
def together(views):
    images, one, other = views
    judgement = judge(images, other, {LAST_BLESSED: one}, None, None, SETTINGS).judgement
    return judgement.metrics, judgement.compared[LAST_BLESSED]


def same(found, expected):
    got = (found.value, found.low, found.high, found.images)
    assert got == pytest.approx((expected.value, expected.low, expected.high, expected.images))


def test_pairs(both, together):
    lines = [list(judged.pairs) for judged in both]
    thresholds = tuple(judged.judgement.thresholds["same"].value for judged in both)
    found = paired.of_pairs(*lines, thresholds)
    own, before = together
    for name in ("auc", "accuracy", "precision", "recall", "equal_error_rate"):
        same(found[name].one, before.metrics[name])
        same(found[name].other, own[name])
        same(found[name].difference, before.differences[name])


def test_images(both, together):
    hits = [np.array([o.predicted == o.label for o in judged.outcomes]) for judged in both]
    found = paired.of_images(*hits)
    own, before = together
    same(found.one, before.metrics["class_accuracy"])
    same(found.other, own["class_accuracy"])
    same(found.difference, before.differences["class_accuracy"])


def test_models_that_err_alike_differ_more_surely():
    one = np.arange(100) < 80
    alike = paired.of_images(one, np.arange(100) < 85).difference
    apart = paired.of_images(one, np.arange(100) >= 15).difference
    assert alike.value == apart.value == pytest.approx(0.05)
    assert alike.high - alike.low < 0.5 * (apart.high - apart.low)
    assert alike.low > 0 > apart.low


def test_nothing_varies():
    right = np.ones(10, bool)
    found = paired.of_images(right, right).difference
    assert found.value == 0
    assert found.low < 0 < found.high


def test_without_both_kinds_of_pairs_nothing_is_measured(both):
    lines = [[p for p in judged.pairs if p.same] for judged in both]
    assert paired.of_pairs(*lines, (0.3, 0.3)) == {}
    assert paired.of_pairs([], [], (0.3, 0.3)) == {}


def test_the_second_less_the_first():
    one = Measure(value=0.5, low=0.4, high=0.6, images=10)
    other = Measure(value=0.9, low=0.8, high=0.95, images=12)
    found = paired.less(one, other)
    assert found.difference.value == pytest.approx(0.4)
    assert 0.2 < found.difference.low < 0.4 < found.difference.high < 0.6
    assert found.difference.images == 12
