from typing import get_args

from judging.metric_names import NAMES
from judging.settings import METRICS, AtLeast, AtMost, Thresholds


def test_a_metric_with_a_threshold_is_checked_and_has_a_name():
    limited = [
        name
        for name, field in Thresholds.model_fields.items()
        if {AtLeast, AtMost} & set(get_args(field.annotation))
    ]
    assert sorted(limited) == sorted(METRICS) == sorted(NAMES)
