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
    """Judges the views apart, as if in so many folds."""
    images, one, other = views

    def judged(folds=(None, None)):
        found = [judge(images, view, {}, None, None, SETTINGS) for view in (one, other)]
        return [
            one._replace(judgement=one.judgement.model_copy(update={"folds": count}))
            for one, count in zip(found, folds, strict=True)
        ]

    return judged


@pytest.fixture(scope="module")
def together(views):
    images, one, other = views
    judgement = judge(images, other, {LAST_BLESSED: one}, None, None, SETTINGS).judgement
    return judgement.metrics, judgement.compared[LAST_BLESSED]


def same(found, expected):
    got = (found.value, found.low, found.high, found.images)
    assert got == pytest.approx((expected.value, expected.low, expected.high, expected.images))


def test_pairs_and_images(both, together):
    found = {metric.name: metric for metric in compare_judgements(*both()).metrics}
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


def test_two_judgements_in_folds_have_their_wider_intervals(both):
    first, second = ({m.name: m for m in found.metrics} for found in (
        compare_judgements(*both()), compare_judgements(*both(folds=(4, 2)))
    ))  # fmt: skip
    for name in ("auc", "class_accuracy"):
        one, other = first[name].difference, second[name].difference
        assert other.value == one.value
        # As for the fewest folds of the two.
        assert other.value - other.low == pytest.approx((one.value - one.low) * 2**0.5)
        assert second[name].first.high >= first[name].first.high


def test_folds_and_splits_are_not_the_same_kind_of_judging(both):
    [note] = compare_judgements(*both(folds=(5, None))).notes
    assert note.startswith("the first was judged in 5 folds, the second on a test split")
    assert not compare_judgements(*both(folds=(5, 5))).notes
