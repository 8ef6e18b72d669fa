import re

import pytest

from components.image_example_gen.report import IngestionReport

GOOD = {"train": 6, "validation": 2, "test": 2}
NONE = {"train": 0, "validation": 0, "test": 0}


def problems(classes, expected=None, anomalies=None, split_by="image"):
    from components.data_check import component as data_check

    report = IngestionReport(
        root="data",
        files=99,
        reencoded=0,
        expected_classes=expected or list(classes),
        classes=classes,
        excluded=[],
        near_duplicates=[],
    )
    return data_check.problems(report, anomalies or {}, split_by)


def test_good_images_have_no_problem():
    assert problems({"a": GOOD, "b": GOOD}) == []


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"a": GOOD, "b": GOOD, "c": NONE}, "class 'c' has no usable image"),
        ({"a": GOOD, "b": GOOD, "c": {**NONE, "train": 1}}, "class 'c' has one usable image"),
        (
            {"a": GOOD, "b": GOOD, "c": {"train": 1, "validation": 0, "test": 3}},
            "class 'c' has 1 image.s. in split 'train'",
        ),
        (
            {"a": {**GOOD, "test": 0}, "b": GOOD},
            "split 'test' has 2 image.s. of 1 class.es., and needs two classes",
        ),
        (
            {"a": {**GOOD, "validation": 1}, "b": {**GOOD, "validation": 1}},
            "split 'validation' has 2 image.s. of 2 class.es.",
        ),
    ],
)
def test_too_few_images_are_said_in_words(classes, message):
    [problem] = problems(classes)
    assert re.match(message, problem)


def test_an_unknown_class_in_a_new_span_is_named_once():
    anomalies = {"train": {"label": "Examples contain values missing from the schema: c (<1%)."}}
    [problem] = problems({"a": GOOD, "b": GOOD, "c": GOOD}, ["a", "b"], anomalies)
    assert problem.startswith("class 'c' is not expected; expected are 'a', 'b'")


def test_other_anomalies_are_passed_on():
    [problem] = problems({"a": GOOD, "b": GOOD}, anomalies={"test": {"height": "Out of range."}})
    assert problem == "split 'test', feature 'height': Out of range."


def test_whole_classes_apart_need_not_be_in_every_split():
    apart = {
        **{f"t{i}": {**NONE, "train": 9} for i in range(4)},
        **{f"v{i}": {**NONE, "validation": 9} for i in range(2)},
        **{f"e{i}": {**NONE, "test": 9} for i in range(2)},
    }
    assert problems(apart, split_by="class") == []
