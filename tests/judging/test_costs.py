"""What thresholds cost, and which is the cheapest."""

import math

import numpy as np
import pytest
from judge_views import held_out

from judging.costs import at, cheapest, cost_of, with_false_accepts
from judging.judge import judge
from judging.judgement import Curve, Measure, Threshold
from judging.measurements import curve
from judging.settings import Costs, JudgeSettings
from judging.thresholds import same_threshold

CURVE = Curve(
    false_accepts=(0, 0, 0.25, 0.5, 1), true_accepts=(0, 0.5, 0.75, 1, 1),
    thresholds=(math.inf, 0.9, 0.7, 0.5, 0.1), edges=(0, 1), positives=(4,), negatives=(4,),
)  # fmt: skip


@pytest.mark.parametrize(
    ("missed", "false_alarm", "prevalence", "threshold"),
    [(1, 1, 0.5, 0.9), (1, 3, 0.5, 0.5), (10, 1, 0.5, 0.9), (1, 1, 0.1, 0.5)],
)
def test_the_cheapest_threshold_goes_by_both_costs_and_how_frequent_both_kinds_are(
    missed, false_alarm, prevalence, threshold
):
    costs = Costs(missed=missed, false_alarm=false_alarm, prevalence=prevalence)
    assert cheapest(CURVE, costs) == threshold


@pytest.mark.parametrize(("most", "threshold"), [(0, 0.9), (0.25, 0.7), (0.3, 0.7), (1, 0.5)])
def test_a_limit_of_false_accepts_rejects_no_more_than_it_must(most, threshold):
    assert with_false_accepts(CURVE, most) == threshold


@pytest.mark.parametrize("most", [0, 0.02, 0.1])
def test_the_training_and_the_command_choose_the_same_threshold(most):
    rng = np.random.default_rng(0)
    scores, same = np.r_[rng.normal(0.3, 0.1, 60), rng.normal(0.6, 0.1, 60)], np.arange(120) >= 60
    ours = with_false_accepts(curve(scores, same, 0, 1), most)
    calibrated = same_threshold(scores, same, most)
    np.testing.assert_array_equal(scores >= ours, scores >= calibrated)


def test_where_nothing_may_be_accepted_the_threshold_is_above_all_scores():
    assert np.float32(at(CURVE, 0)) > np.float32(0.9)
    assert at(CURVE, 0) < 0.9001


def measure(value, low, high):
    return Measure(value=value, low=low, high=high, images=40)


def test_the_cost_of_a_case_has_an_interval():
    limit = Threshold(
        value=0.5, false_accepts=measure(0.1, 0.04, 0.2), false_rejects=measure(0.2, 0.1, 0.3),
        accuracy=measure(0.85, 0.7, 0.9),
    )  # fmt: skip
    found = cost_of(limit, Costs(missed=10, false_alarm=2, prevalence=0.2)).cost
    assert found.value == pytest.approx(10 * 0.2 * 0.1 + 2 * 0.8 * 0.2)
    assert found.low == pytest.approx(found.value - math.hypot(2 * 0.06, 1.6 * 0.1))
    assert found.high == pytest.approx(found.value + math.hypot(2 * 0.1, 1.6 * 0.1))


def test_the_judgement_names_the_cheapest_threshold_of_each_decision():
    images, view = held_out(classes=4, each=10, spread=0.4)
    settings = JudgeSettings(costs={"missed": 10, "false_alarm": 1})
    found = judge(images, view, {}, None, None, settings).judgement
    assert set(found.costs) == {"same", "known"}
    for name, costs in found.costs.items():
        assert costs.own.threshold == found.thresholds[name]
        assert costs.cheapest.cost.value <= costs.own.cost.value
        assert costs.cheapest.threshold.value in found.curves[name].thresholds
        point = found.curves[name].thresholds.index(costs.cheapest.threshold.value)
        accepts = costs.cheapest.threshold.false_accepts.value
        assert accepts == pytest.approx(found.curves[name].false_accepts[point])
    assert "the cheapest on these images is" in found.notes[-1]
    assert not judge(images, view, {}, None, None, JudgeSettings()).judgement.costs
