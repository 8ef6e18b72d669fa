import math

from judging.judgement import Curve, Measure, Threshold
from pipeline.report.tradeoff import Row, tradeoff


def measure(value):
    return Measure(value=value, low=value, high=value, images=9)


CURVE = Curve(
    false_accepts=(0, 0, 0.05, 0.5, 1),
    true_accepts=(0, 0.6, 0.8, 1, 1),
    thresholds=(math.inf, 0.9, 0.8, 0.4, 0.1),
    edges=(0, 1),
    positives=(10,),
    negatives=(20,),
)


def test_rows_count_cases():
    own = Threshold(value=0.4, false_accepts=measure(0.5), false_rejects=measure(0),
                    accuracy=measure(0.7))  # fmt: skip
    found = tradeoff(CURVE, own)
    assert (found.positives, found.negatives) == (10, 20)
    assert found.rows == [Row(0.9, 0, 4), Row(0.8, 1, 2), Row(0.4, 10, 0, own=True)]
    assert found.curve == [(0.1, 20, 0), (0.4, 10, 0), (0.8, 1, 2), (0.9, 0, 4)]


def test_a_threshold_that_is_no_number_has_no_row():
    own = Threshold(value=math.nan, false_accepts=measure(math.nan),
                    false_rejects=measure(math.nan), accuracy=measure(math.nan))  # fmt: skip
    assert not any(row.own for row in tradeoff(CURVE, own).rows)
