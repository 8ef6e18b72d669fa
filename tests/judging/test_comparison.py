"""Two judgements that were made apart agree with the one that compares both models itself."""

import numpy as np
import pytest
from judge_views import held_out

from judging.comparison import compare_judgements
from judging.gate import LAST_BLESSED
from judging.judge import judge
from judging.judgement import Measure
from judging.measurements import minus, share, share_correlation
from judging.settings import JudgeSettings

SETTINGS = JudgeSettings()


@pytest.fixture(scope="module")
def views():
    images, one = held_out(classes=4, each=12, spread=0.45)
    other = one._replace(embeddings=held_out(classes=4, each=12, spread=0.55, seed=3)[1].embeddings)
    return images, one, other._replace(same=0.25)


@pytest.fixture
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


def test_pairs_and_images(both, together):
    found = {metric.name: metric for metric in compare_judgements(*both).metrics}
    own, before = together
    for name in ("auc", "accuracy", "precision", "recall", "equal_error_rate", "class_accuracy"):
        assert found[name].paired
        same(found[name].first, before.metrics[name])
        same(found[name].second, own[name])
        same(found[name].difference, before.differences[name])


def difference(one, other):
    """Of two models' hits on the same images."""
    each = np.arange(len(one))
    r = share_correlation(one, other, each)
    return minus(share(other, each), share(one, each), r)


def test_models_that_err_alike_differ_more_surely():
    one = np.arange(100) < 80
    alike, apart = difference(one, np.arange(100) < 85), difference(one, np.arange(100) >= 15)
    assert alike.value == apart.value == pytest.approx(0.05)
    assert alike.high - alike.low < 0.5 * (apart.high - apart.low)
    assert alike.low > 0 > apart.low


def test_nothing_varies():
    right = np.ones(10, bool)
    found = difference(right, right)
    assert found.value == 0
    assert found.low < 0 < found.high


@pytest.mark.parametrize("kept", [lambda pair: pair.same, lambda pair: False])
def test_without_both_kinds_of_pairs_no_difference_is_paired(views, kept):
    images, one, other = views
    judgements = [judge(images, view, {}, None, None, SETTINGS) for view in (one, other)]
    fewer = [j._replace(pairs=[pair for pair in j.pairs if kept(pair)]) for j in judgements]
    metrics = {metric.name: metric for metric in compare_judgements(*fewer).metrics}
    assert not metrics["auc"].paired
    assert metrics["auc"].difference is None
    assert metrics["class_accuracy"].paired


def test_the_first_is_subtracted_from_the_second():
    one = Measure(value=0.5, low=0.4, high=0.6, images=10)
    other = Measure(value=0.9, low=0.8, high=0.95, images=12)
    found = minus(other, one)
    assert found.value == pytest.approx(0.4)
    assert 0.2 < found.low < 0.4 < found.high < 0.6
    assert found.images == 12
