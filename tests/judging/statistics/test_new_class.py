"""Prediction intervals of a new class: how often they hold the new class's rate."""

import numpy as np
import pytest

from judging.statistics.new_class import new_class_interval


def interval(hits, images=20.0):
    hits = np.array(hits, float)
    return new_class_interval(hits / images, np.full(len(hits), images))


@pytest.mark.parametrize("classes", [3, 5, 10])
@pytest.mark.parametrize(("a", "b"), [(0.1, 0.9), (0.5, 4.5), (1, 1), (2, 38), (15, 35)])
def test_a_new_class_is_covered(classes, a, b):
    rng = np.random.default_rng(classes)
    rates = rng.beta(a, b, (100, classes + 1))
    hits = rng.binomial(20, rates[:, :classes])
    found = [interval(row) for row in hits]
    held = [i.low <= new <= i.high for i, new in zip(found, rates[:, classes], strict=True)]
    assert np.mean(held) >= 0.9


def test_the_interval_says_something_with_ten_classes():
    low, high = interval([2, 3, 1, 4, 2, 3, 2, 1, 3, 2])
    assert 0 < low < 0.1
    assert 0.15 < high < 0.35


def test_three_classes_say_next_to_nothing():
    assert interval([0, 10, 20]) == (0, 1)
    assert interval([0, 0, 0]).high > 0.7


def test_more_images_of_the_same_classes_do_not_narrow_it_beyond_their_spread():
    few, many = interval([2, 10, 18, 4, 14]), interval([200, 1000, 1800, 400, 1400], 2000.0)
    assert many.high - many.low > 0.9 * (few.high - few.low)
    alike = interval([4] * 5).high, interval([400] * 5, 2000.0).high
    assert alike[1] < alike[0]


def test_two_kinds_of_error_are_treated_alike():
    low, high = interval([3, 1, 0, 5, 2])
    assert interval([17, 19, 20, 15, 18]) == pytest.approx((1 - high, 1 - low), abs=2e-3)
