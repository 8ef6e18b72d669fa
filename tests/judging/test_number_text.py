import math

import pytest

from judging.judgement import Measure
from judging.metric_names import NAMES, metric_name
from judging.number_text import (
    change_interval,
    change_text,
    metric_interval,
    metric_text,
    percent,
    percent_interval,
    points,
)
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


def test_an_area_under_a_curve_is_no_percentage():
    few, many = (Measure(value=0.85, low=0.7, high=0.9, images=n) for n in (12, 80))
    assert metric_text("open_set_auc", 0.85, 12) == "0.85"
    assert metric_text("auc", 0.85, 80) == "0.850"
    assert metric_text("accuracy", 0.85, 80) == "85.0 %"
    assert metric_interval("auc against the last blessed model", few) == "0.70 to 0.90"
    assert metric_interval("recall", many) == "70.0 to 90.0 %"
    assert change_text("auc", -0.0251, 80) == "-0.025"
    assert change_text("recall", 0.0251, 80) == "+2.5"
    assert change_interval("auc", few) == "+0.70 to +0.90"
    assert change_text("auc", math.nan, 80) == metric_text("auc", math.nan, 8) == "undefined"
