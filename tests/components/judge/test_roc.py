import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from components.judge.roc import Ranked, auc, equal_error_rate, roc_points


def cases(count=300, seed=0, decimals=None):
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < 0.4
    scores = rng.normal(positive * 1.2)
    return (scores if decimals is None else scores.round(decimals)), positive


def equal_error_by_scikit_learn(scores, positive, weights):
    taken, found, _ = roc_curve(positive, scores, sample_weight=weights, drop_intermediate=False)
    missed = 1 - found
    best = np.lexsort((taken + missed, np.round(np.abs(taken - missed), 12)))[0]
    return (taken + missed)[best] / 2


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_as_scikit_learn_with_weights_and_ties(decimals):
    scores, positive = cases(decimals=decimals)
    weights = np.random.default_rng(1).exponential(size=(20, len(scores)))
    weights[0] = 1
    below = Ranked(scores, positive).below(weights)
    np.testing.assert_allclose(
        auc(*below), [roc_auc_score(positive, scores, sample_weight=w) for w in weights]
    )
    np.testing.assert_allclose(
        equal_error_rate(*below),
        [equal_error_by_scikit_learn(scores, positive, w) for w in weights],
        rtol=1e-9,
    )


@pytest.mark.parametrize(("scores", "area", "error"), [([1, 2, 3, 4], 1, 0), ([4, 3, 2, 1], 0, 1),
                                                       ([1, 1, 1, 1], 0.5, 0.5)])  # fmt: skip
def test_extremes(scores, area, error):
    below = Ranked(np.array(scores), np.array([False, False, True, True])).below(np.ones((1, 4)))
    assert auc(*below)[0] == area
    assert equal_error_rate(*below)[0] == error


def test_one_kind_alone_has_no_area():
    with np.errstate(all="raise"):
        below = Ranked(np.arange(3), np.ones(3, bool)).below(np.ones((1, 3)))
    assert np.isnan(auc(*below)[0])


def test_points_are_on_the_curve_and_few():
    scores, positive = cases(5000)
    points = roc_points(scores, positive, most=100)
    assert 50 < len(points.thresholds) <= 102
    assert (points.false_accepts[0], points.true_accepts[0]) == (0, 0)
    assert (points.false_accepts[-1], points.true_accepts[-1]) == (1, 1)
    for false, true, threshold in zip(*points, strict=True):
        assert false == pytest.approx(np.mean(scores[~positive] >= threshold))
        assert true == pytest.approx(np.mean(scores[positive] >= threshold))
    few = roc_points(scores[:20], positive[:20])
    assert len(few.thresholds) == 21
