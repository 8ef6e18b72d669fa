import math

import pytest

from judging.judgement import Measure
from judging.metric_names import NAMES, metric_name
from judging.number_text import percent, percent_interval, points
from judging.settings import METRICS


@pytest.mark.parametrize(
    ("value", "images", "text"),
    [
        (0.95, 20, "95 %"),
        (0.95, 80, "95.0 %"),
        (0.95123, 5000, "95.12 %"),
        (1, 2, "100 %"),
        (math.nan, 80, "undefined"),
    ],
)
def test_percentages_have_as_many_digits_as_the_images_support(value, images, text):
    assert percent(value, images) == text


def test_intervals_and_differences():
    assert percent_interval(Measure(value=0.95, low=0.8784, high=0.98, images=80)) == (
        "87.8 to 98.0 %"
    )
    assert percent_interval(Measure(value=1, low=math.nan, high=1, images=80)) == "undefined"
    assert points(-0.025, 80) == "-2.5"
    assert points(0.03, 12) == "+3"
    assert points(math.nan, 12) == "undefined"


def test_every_metric_has_a_name():
    assert set(NAMES) == set(METRICS)
    assert len(set(NAMES.values())) == len(NAMES)
    assert metric_name("auc against the last blessed model") == (
        "AUC of the pairs against the last blessed model"
    )
    assert metric_name("recall") == "Recall of the pairs"
    assert metric_name("auc by TFMA") == "AUC of the pairs by TFMA"
