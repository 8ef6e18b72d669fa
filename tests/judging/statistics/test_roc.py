import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from judging.statistics.roc import Roc, auc, equal_error_rate, roc_points


def cases(count=300, seed=0, decimals=None):
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < 0.4
    scores = rng.normal(positive * 1.2)
    return (scores if decimals is None else scores.round(decimals)), positive


def by_scikit_learn(scores, positive, weights=None):
    """The area, and the rate of equal error."""
    fpr, tpr, _ = roc_curve(positive, scores, sample_weight=weights, drop_intermediate=False)
    fnr = 1 - tpr
    best = np.lexsort((fpr + fnr, np.round(np.abs(fpr - fnr), 12)))[0]
    return roc_auc_score(positive, scores, sample_weight=weights), (fpr + fnr)[best] / 2


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_as_scikit_learn_with_ties(decimals):
    scores, positive = cases(decimals=decimals)
    roc = Roc(scores, positive)
    found = (auc(roc).value, equal_error_rate(roc).value)
    assert found == pytest.approx(by_scikit_learn(scores, positive))


@pytest.mark.parametrize("decimals", [None, 1])
def test_influence_is_how_the_area_changes_with_a_case_weight(decimals):
    scores, positive = cases(decimals=decimals)
    influence = auc(Roc(scores, positive)).influence
    assert influence.sum() == pytest.approx(0, abs=1e-12)
    for case in range(0, len(scores), 30):
        weights = np.ones(len(scores))
        weights[case] += 1e-5
        change = (
            by_scikit_learn(scores, positive, weights)[0] - by_scikit_learn(scores, positive)[0]
        )
        assert change / 1e-5 == pytest.approx(influence[case], abs=1e-7)


def test_influence_on_equal_error_is_how_it_varies_with_weights():
    """It has steps, so it is looked at over many weights at once, and with many cases."""
    scores, positive = cases(4000)
    influence = equal_error_rate(Roc(scores, positive)).influence
    assert influence.sum() == pytest.approx(0, abs=1e-12)
    rng = np.random.default_rng(2)
    changes = rng.uniform(-1, 1, (200, len(scores)))
    seen = [by_scikit_learn(scores, positive, 1 + some)[1] for some in changes]
    assert np.corrcoef(seen, changes @ influence)[0, 1] > 0.97
    assert np.std(seen) == pytest.approx(np.std(changes @ influence), rel=0.1)


@pytest.mark.parametrize(("scores", "area", "error"), [([1, 2, 3, 4], 1, 0), ([4, 3, 2, 1], 0, 1),
                                                       ([1, 1, 1, 1], 0.5, 0.5)])  # fmt: skip
def test_extremes(scores, area, error):
    roc = Roc(np.array(scores), np.array([False, False, True, True]))
    assert auc(roc).value == area
    assert equal_error_rate(roc).value == error


@pytest.mark.parametrize("kind", [True, False])
def test_one_kind_alone_has_neither(kind):
    with np.errstate(all="raise"):
        roc = Roc(np.arange(3), np.full(3, kind))
        for found in (auc(roc), equal_error_rate(roc)):
            assert np.isnan(found.value)
            assert np.isnan(found.influence).all()


def test_points_are_on_the_curve_and_few():
    scores, positive = cases(5000)
    points = roc_points(Roc(scores, positive), most=100)
    assert 50 < len(points.thresholds) <= 102
    assert (points.fpr[0], points.tpr[0]) == (0, 0)
    assert (points.fpr[-1], points.tpr[-1]) == (1, 1)
    for fpr, tpr, threshold in zip(*points, strict=True):
        assert fpr == pytest.approx(np.mean(scores[~positive] >= threshold))
        assert tpr == pytest.approx(np.mean(scores[positive] >= threshold))
    few = roc_points(Roc(scores[:20], positive[:20]))
    assert len(few.thresholds) == 21
