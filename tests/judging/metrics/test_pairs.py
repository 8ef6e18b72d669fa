"""What the metrics of pairs rest on."""

import numpy as np
import pytest
from judge_views import clouds, similarity

from judging.metrics.pairs import METRICS, Pairs, draw_pairs, measure_pairs
from judging.statistics.intervals import clopper_pearson


def measured(called, same=None, pairs=20):
    """Disjoint pairs of single images; those in `called` are called the same."""
    left, right = np.arange(2 * pairs).reshape(2, -1)
    scores = np.zeros(pairs)
    scores[called] = 1
    same = np.arange(pairs) < pairs // 2 if same is None else same
    drawn = Pairs(left, right, same)
    return measure_pairs(drawn, np.arange(2 * pairs), {"model": scores}, [0.5])[0]["model"]


def test_the_precision_of_one_right_pair_says_nearly_nothing():
    found = measured([0])["precision"]
    assert (found.value, found.images) == (1, 2)
    assert (found.low, found.high) == pytest.approx(clopper_pearson(1, 1))
    assert found.low == pytest.approx(0.025)


def test_precision_goes_by_the_pairs_that_are_called_the_same():
    found = measured([0, 1, 2, 3, 4])["precision"]
    assert (found.low, found.high) == pytest.approx(clopper_pearson(1, 5))


def test_recall_goes_by_the_pairs_that_are():
    found = measured(list(range(20)), same=np.arange(20) < 4)
    assert (found["recall"].low, found["recall"].high) == pytest.approx(clopper_pearson(1, 4))
    assert found["recall"].images == 8
    assert found["false_accepts"].images == 32


def test_pairs_with_a_common_image_are_one_case():
    """Nine pairs of the same image, called the same, and right."""
    left, right = np.zeros(9, int), np.arange(1, 10)
    left, right = np.append(left, 10), np.append(right, 11)
    same = np.arange(10) < 9
    drawn = Pairs(left, right, same)
    found = measure_pairs(drawn, np.arange(12), {"model": same.astype(float)}, [0.5])[0]["model"]
    assert found["precision"].value == 1
    assert found["precision"].low < 0.2


def test_nothing_called_the_same_has_no_precision():
    assert np.isnan(measured([])["precision"].value)


@pytest.mark.parametrize(("spread", "limit"), [(0.3, 0.15), (0.35, 0.3)])
def test_the_estimated_variance_is_that_of_many_test_sets(spread, limit):
    """An image has as many same as different pairs, and what these differ by is no chance."""
    labels = clouds(10, 16, spread, 0)[1]
    pairs = draw_pairs(labels, 16, 500, 0)
    values, variances = [], []
    for seed in range(300):
        points, _ = clouds(10, 16, spread, seed)
        scores = {"model": similarity(points[pairs.left], points[pairs.right])}
        found, covariance = measure_pairs(pairs, np.arange(160), scores, [limit])
        values.append([found["model"][name].value for name in METRICS])
        variances.append(np.diag(covariance)[: len(METRICS)])
    ratio = np.mean(variances, axis=0) / np.var(values, axis=0)
    # Of 300 draws, the variance is known to 8 %.
    assert ((ratio > 0.85) & (ratio < 1.2)).all(), dict(zip(METRICS, ratio, strict=True))
