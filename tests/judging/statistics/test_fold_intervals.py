import pytest

from judging.judgement import Compared, CostOfThreshold, Measure, Threshold
from judging.statistics.fold_intervals import widened


def measure(value, low, high):
    return Measure(value=value, low=low, high=high, images=20)


def test_without_folds_nothing_changes():
    assert widened(measure(0.9, 0.8, 0.95), None) == measure(0.9, 0.8, 0.95)


def test_both_ends_move_away():
    found = widened(measure(0.8, 0.7, 0.85), 5)
    factor = (5 / 4) ** 0.5
    assert found.low == pytest.approx(0.8 - 0.1 * factor)
    assert found.high == pytest.approx(0.8 + 0.05 * factor)
    assert widened(measure(0.5, 0.4, 0.6), 2).low == pytest.approx(0.5 - 0.1 * 2**0.5)


def test_a_share_stays_between_none_and_all():
    found = widened({"a": (measure(1.0, 0.7, 1.0), measure(0.1, 0.01, 0.3))}, 2)["a"]
    assert found[0].high == 1
    assert found[0].low == pytest.approx(1 - 0.3 * 2**0.5)
    assert found[1].low == 0


def test_a_difference_may_be_negative_and_a_cost_above_one():
    compared = Compared(
        model="m",
        metrics={"auc": measure(0.1, 0.05, 0.2)},
        differences={"auc": measure(0.05, 0.01, 0.1)},
    )
    found = widened(compared, 2)
    assert found.differences["auc"].low == pytest.approx(0.05 - 0.04 * 2**0.5)
    assert found.model == "m"
    rates = measure(0.2, 0.1, 0.3)
    threshold = Threshold(value=0.5, false_accepts=rates, false_rejects=rates, accuracy=rates)
    cost = CostOfThreshold(threshold=threshold, cost=measure(2.0, 1.0, 3.0))
    assert widened(cost, 2).cost.high == pytest.approx(2 + 2**0.5)
    assert widened(cost, 2).threshold.value == 0.5
