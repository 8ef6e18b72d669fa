import math

import pytest

from judging.gate import LAST_BLESSED, PRETRAINED_ENCODER, RAW_PIXELS, Measured, decide
from judging.judgement import Check, Compared, Measure
from judging.settings import Change, Thresholds
from judging.statistics.intervals import clopper_pearson

NOTHING = {
    "auc": None, "class_accuracy": None, "worst_class_recall": None, "change": {"auc": None},
    "better_than_chance": False,
}  # fmt: skip


def measure(value, low=None, high=None, images=100):
    found = clopper_pearson(abs(value), images)
    return Measure(
        value=value,
        low=found.low if low is None else low,
        high=found.high if high is None else high,
        images=images,
    )


def compared(**differences):
    found = {name: measure(v, v - 0.05, v + 0.05) for name, v in differences.items()}
    return Compared(model="before", metrics={}, differences=found)


def verdict(
    wanted, metrics, chance=0.1, before=None, pretrained=None, raw=None, missing=None, images=100,
    p_value=0.001,
):  # fmt: skip
    others = {LAST_BLESSED: before, PRETRAINED_ENCODER: pretrained, RAW_PIXELS: raw}
    others = {name: other for name, other in others.items() if other}
    found = Measured(images, metrics, missing or {}, chance, others, p_value)
    return decide(Thresholds(**{**NOTHING, **wanted}), found)


@pytest.mark.parametrize(
    ("wanted", "value", "outcome"),
    [
        # A bare number is compared with the value.
        ({"auc": 0.9}, 0.9, "blessed"),
        ({"auc": 0.9}, 0.95, "blessed"),
        ({"auc": 0.9}, 0.89, "not_blessed"),
        # By the bound: a value that misses fails, one that reaches it must do so surely.
        ({"auc": {"at_least": 0.9, "bound": "lower"}}, 0.89, "not_blessed"),
        ({"auc": {"at_least": 0.9, "bound": "lower"}}, 0.95, "undecided"),
        ({"auc": {"at_least": 0.9, "bound": "lower"}}, 0.98, "blessed"),
        ({"equal_error_rate": 0.1}, 0.1, "blessed"),
        ({"equal_error_rate": 0.1}, 0.11, "not_blessed"),
        ({"equal_error_rate": {"at_most": 0.1, "bound": "upper"}}, 0.05, "undecided"),
        ({"equal_error_rate": {"at_most": 0.1, "bound": "upper"}}, 0.02, "blessed"),
        ({"worst_class_recall": 0.7}, 0.6, "not_blessed"),
    ],
)
def test_a_threshold_on_a_metric(wanted, value, outcome):
    [name] = wanted
    assert verdict(wanted, {name: measure(value)}).outcome == outcome


def test_all_must_hold():
    metrics = {"auc": measure(0.99), "class_accuracy": measure(0.7)}
    found = verdict({"auc": 0.9, "class_accuracy": 0.8}, metrics)
    assert found.outcome == "not_blessed"
    assert [check.outcome for check in found.checks] == ["passed", "failed"]
    [reason] = found.reasons
    assert reason == "class_accuracy 0.700 (0.600 to 0.788), required at least 0.8"


def test_a_failure_outweighs_what_is_undecided():
    metrics = {"auc": measure(0.95), "class_accuracy": measure(0.7)}
    wanted = {"auc": {"at_least": 0.9, "bound": "lower"}, "class_accuracy": 0.8}
    assert verdict(wanted, metrics).outcome == "not_blessed"


def test_too_few_images_says_how_many_are_needed():
    found = verdict({"auc": {"at_least": 0.9, "bound": "lower"}}, {"auc": measure(0.95)})
    [check] = found.checks
    assert check.needed > 100
    assert measure(0.95, images=check.needed).low == pytest.approx(0.9, abs=0.01)
    assert found.reasons[-1] == (
        f"100 test images are too few to decide: about {check.needed} would do"
    )


def test_of_a_new_class_more_images_would_not_decide():
    of_classes = measure(0.95).model_copy(update={"low": 0.5, "classes": 6})
    found = verdict(
        {"open_set_auc": {"at_least": 0.9, "bound": "lower"}}, {"open_set_auc": of_classes}
    )
    [check] = found.checks
    assert (check.outcome, check.needed) == ("undecided", None)
    assert check.measure == of_classes
    assert check.sentence == (
        "open_set_auc 0.950 (0.500 to 0.984), required at least 0.9, lower bound: the interval is "
        "for the images of one new class, from 6 classes"
    )
    assert found.reasons[-1] == "more classes, not more images, would decide"


def test_where_a_metric_goes_by_some_images_all_are_counted():
    wanted = {"precision": {"at_least": 0.8, "bound": "lower"}}
    [check] = verdict(wanted, {"precision": measure(0.9, images=10)}).checks
    [alone] = verdict(wanted, {"precision": measure(0.9, images=10)}, images=10).checks
    assert check.needed == 10 * alone.needed


def test_the_worst_class_needs_images_of_its_own():
    wanted = {
        "worst_class_recall": {"at_least": 0.3, "bound": "lower"},
        "class_accuracy": {"at_least": 0.99, "bound": "lower"},
    }
    metrics = {"worst_class_recall": measure(1, images=1), "class_accuracy": measure(1)}
    found = verdict(wanted, metrics, images=89)
    [of_class] = [check for check in found.checks if check.of_each_class]
    assert (of_class.metric, of_class.needed) == ("worst_class_recall", 4)
    assert measure(1, images=4).low >= 0.3 > measure(1, images=3).low
    [of_all] = [check.needed for check in found.checks if not check.of_each_class]
    assert found.reasons[-1].endswith(f"about {of_all} in all and about 4 of each class would do")


def test_at_the_limit_itself_no_number_of_images_would_do():
    found = verdict({"auc": {"at_least": 0.9, "bound": "lower"}}, {"auc": measure(0.9)})
    assert found.outcome == "undecided"
    assert "how many would do is not known" in found.reasons[-1]


def test_what_could_not_be_measured_decides_nothing():
    found = verdict({"open_set_auc": 0.8}, {}, missing={"open_set_auc": "there are two classes"})
    assert found.outcome == "undecided"
    assert found.reasons[0] == "open_set_auc: there are two classes"


@pytest.mark.parametrize(
    ("value", "p_value", "outcome"),
    [(0.5, 0.001, "blessed"), (0.5, 0.025, "blessed"), (0.5, 0.026, "undecided"),
     (0.25, 0.5, "not_blessed"), (0.2, 0.9, "not_blessed"), (0.5, math.nan, "undecided")],
)  # fmt: skip
def test_what_may_be_chance_is_not_blessed(value, p_value, outcome):
    metrics = {"auc": measure(0.99), "class_accuracy": measure(value)}
    found = verdict({"auc": 0.5, "better_than_chance": True}, metrics, 0.25, p_value=p_value)
    assert found.outcome == outcome


def by_default(correct, each=4, p_value=0.001):
    """The verdict by the default thresholds on `correct` images of each of the classes."""
    of_class = [measure(c / each, images=each) for c in correct]
    images = len(correct) * each
    metrics = {
        "auc": measure(0.99),
        "class_accuracy": measure(sum(correct) / images, images=images),
        "worst_class_recall": min(of_class, key=lambda m: m.value),
    }
    return decide(Thresholds(), Measured(images, metrics, {}, 1 / len(correct), {}, p_value))


@pytest.mark.parametrize(
    ("correct", "outcome"),
    [((4, 4), "blessed"), ((4, 4, 4, 4), "blessed"), ((4, 4, 4, 3), "undecided"),
     ((4, 4, 0, 4), "not_blessed"), ((2, 2, 2, 2), "not_blessed"), ((3, 3, 3, 3), "undecided")],
)  # fmt: skip
def test_the_defaults_bless_a_good_model_with_four_test_images_a_class(correct, outcome):
    found = by_default(correct)
    assert found.outcome == outcome, found.reasons
    if outcome == "undecided":
        assert " test images are too few to decide: about " in found.reasons[-1]


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_three_test_images_a_class_are_too_few_by_default(classes):
    assert by_default([3] * classes, each=3).outcome == "undecided"


def reference(value, difference, low, high):
    return Compared(
        model="raw", metrics={"class_accuracy": measure(value)},
        differences={"class_accuracy": measure(difference, low, high)},
    )  # fmt: skip


def test_a_model_that_loses_to_raw_pixels_by_more_than_chance_fails():
    metrics = {"auc": measure(0.9), "class_accuracy": measure(0.8)}
    raw = reference(0.95, -0.15, -0.25, -0.05)
    found = verdict({"auc": 0.5}, metrics, raw=raw)
    assert found.outcome == "not_blessed"
    assert found.reasons == (
        "class_accuracy against raw pixels -0.150 (-0.250 to -0.050), required at least 0, "
        "upper bound",
    )  # fmt: skip
    allowed = {"auc": 0.5, "no_worse_than_reference_methods": False}
    assert verdict(allowed, metrics, raw=raw).outcome == "blessed"


@pytest.mark.parametrize("counts", [True, False])
def test_a_model_that_may_have_lost_to_raw_pixels_is_blessed_and_says_so(counts):
    metrics = {"auc": measure(0.9), "class_accuracy": measure(0.9)}
    wanted = {"auc": 0.5, "no_worse_than_reference_methods": counts}
    found = verdict(wanted, metrics, raw=reference(0.92, -0.02, -0.08, 0.04))
    assert found.outcome == "blessed"
    assert found.reasons == (
        "every threshold is reached",
        "but raw pixels did better on the same images: class_accuracy 0.920, the model's 0.900",
    )
    better = verdict(wanted, metrics, raw=reference(0.85, 0.05, -0.01, 0.1))
    assert better.reasons == ("every threshold is reached",)


def test_a_comparison_on_few_of_the_images_is_decided_by_its_interval():
    def found(change, low, high, left_out):
        before = Compared(
            model="before", metrics={}, differences={"auc": measure(change, low, high)},
            left_out=left_out,
        )  # fmt: skip
        wanted = {"auc": 0.5, "change": {"auc": -0.02}}
        return verdict(wanted, {"auc": measure(0.9)}, before=before).outcome

    assert found(0.0, -0.3, 0.3, left_out=50) == "blessed"
    assert found(-0.1, -0.3, 0.3, left_out=50) == "not_blessed"
    assert found(0.0, -0.3, 0.3, left_out=60) == "undecided"
    assert found(-0.1, -0.3, 0.3, left_out=60) == "undecided"
    assert found(0.0, -0.01, 0.3, left_out=60) == "blessed"
    assert found(-0.1, -0.3, -0.03, left_out=60) == "not_blessed"


@pytest.mark.parametrize(
    ("limit", "change", "outcome"),
    [(-0.02, -0.02, "blessed"), (-0.02, -0.03, "not_blessed"), (0.01, 0.0, "not_blessed"),
     ({"at_least": -0.02, "bound": "lower"}, 0.01, "undecided"),
     ({"at_least": -0.02, "bound": "lower"}, 0.04, "blessed")],
)  # fmt: skip
def test_the_difference_to_the_last_blessed_model(limit, change, outcome):
    wanted = {"auc": 0.5, "change": {"auc": None, "class_accuracy": limit}}
    before = compared(class_accuracy=change)
    assert verdict(wanted, {"auc": measure(0.9)}, before=before).outcome == outcome


def test_a_drop_of_the_auc():
    wanted = {"auc": 0.5, "change": {"auc": -0.02}}
    for change, outcome in ((-0.01, "blessed"), (-0.03, "not_blessed")):
        before = compared(auc=change)
        assert verdict(wanted, {"auc": measure(0.9)}, before=before).outcome == outcome
    surely = {"auc": 0.5, "change": {"auc": {"at_least": -0.02, "bound": "lower"}}}
    found = verdict(surely, {"auc": measure(0.9)}, before=compared(auc=-0.01))
    assert found.outcome == "undecided"


def test_the_first_model_is_compared_with_none():
    found = verdict({"auc": 0.5, "change": {"auc": -0.02}}, {"auc": measure(0.9)})
    assert found.outcome == "blessed"
    assert found.checks[-1].outcome == "skipped"
    assert found.checks[-1].note == "there is none to compare with"


def test_a_comparison_on_too_few_images_is_open_and_says_why():
    wanted = {"auc": 0.5, "change": {"auc": -0.02, "class_accuracy": 0.0}}
    before = Compared(
        model="before", metrics={}, differences={"class_accuracy": measure(0.5, 0.1, 0.9)},
        left_out=98, missing={"auc": "no pairs"},
    )  # fmt: skip
    found = verdict(wanted, {"auc": measure(0.9)}, before=before)
    assert found.outcome == "undecided"
    assert [check.outcome for check in found.checks] == ["passed", "undecided", "passed"]
    assert found.reasons[0] == (
        "auc against the last blessed model: compared on 2 of 100 test images: the last blessed "
        "model was trained on the others; no pairs"
    )


def test_a_comparison_alone_blesses_nothing():
    found = decide(
        Thresholds(**{**NOTHING, "auc": 0.5}).model_copy(
            update={"auc": None, "change": Change(auc=-0.1)}
        ),
        Measured(100, {}, {}, 0.1, {}),
    )
    assert found.outcome == "not_blessed"


@pytest.mark.parametrize(
    ("bound", "change", "own", "outcome"),
    [("value", 0.01, 0.9, "blessed"), ("value", 0.0, 0.9, "not_blessed"),
     ("value", 0.0, 1.0, "blessed"), ("lower", 0.01, 0.9, "undecided"),
     ("lower", 0.06, 0.9, "blessed"), ("lower", -0.01, 0.9, "not_blessed")],
)  # fmt: skip
def test_the_pretrained_encoder_must_be_beaten(bound, change, own, outcome):
    wanted = {"auc": 0.5, "beats_pretrained_encoder": {"bound": bound}}
    metrics = {"auc": measure(0.9), "class_accuracy": measure(own)}
    found = verdict(wanted, metrics, pretrained=compared(class_accuracy=change))
    assert found.outcome == outcome


def test_a_pretrained_encoder_that_was_not_judged_is_not_beaten():
    found = verdict({"auc": 0.5, "beats_pretrained_encoder": True}, {"auc": measure(0.9)})
    assert found.outcome == "undecided"
    assert "the pretrained encoder was not judged" in found.reasons[0]


def test_no_thresholds_bless_nothing():
    found = decide(None, Measured(100, {"auc": measure(1.0)}, {}, 0.1, {}))
    assert found.outcome == "not_blessed"
    assert found.reasons == ("no threshold is set, and without one nothing can be blessed",)


def test_what_others_have_found_counts():
    failed = Check(metric="auc (TFMA)", required="at least 0.9", outcome="failed", note="0.5")
    metrics = dict.fromkeys(("auc", "class_accuracy", "worst_class_recall"), measure(1.0))
    found = decide(Thresholds(), Measured(100, metrics, {}, 0.1, {}, 0.001), [failed])
    assert found.outcome == "not_blessed"
    assert found.reasons == ("auc (TFMA): 0.5",)
