"""How often intervals hold the truth, in short; `benchmarks/coverage.py` measures it at length."""

import pytest

from benchmarks.coverage import coverage, passed_by_chance
from judging.settings import METRICS


@pytest.mark.parametrize(("classes", "each", "rate"), [(2, 3, 0.05), (6, 4, 0.02), (6, 4, 0.3)])
def test_the_intervals_of_all_metrics_hold(classes, each, rate):
    found = coverage(classes, each, rate, draws=60)
    expected = {name for name in METRICS if classes > 2 or not name.startswith("open_set")}
    assert set(found) == {*expected, "precision (strict)", "recall (strict)"}
    # Of 60 test sets at a true 95 %, fewer than one in a hundred shows less than 87 %.
    assert min(found.values()) >= 0.87, found


@pytest.mark.parametrize(("classes", "each"), [(2, 2), (3, 5), (10, 10)])
def test_labels_that_mean_nothing_are_not_better_than_chance(classes, each):
    assert passed_by_chance(classes, each, trials=300, shuffles=79) <= 0.055
