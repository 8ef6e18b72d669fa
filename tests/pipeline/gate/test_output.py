"""The gate's JUnit XML and Markdown, from made-up results."""

import json
import math
from xml.etree import ElementTree

import pytest

from components.image_example_gen.report import ExcludedFile
from judging.gate import Measured, decide
from judging.judgement import Check, Measure
from judging.settings import Thresholds
from pipeline.gate.output import markdown, write_junit
from pipeline.gate.result import GateResult

LOST = Measured(
    40,
    {
        "auc": Measure(value=0.95, low=0.9, high=0.99, images=40),
        "class_accuracy": Measure(value=0.65, low=0.48, high=0.79, images=40),
        "worst_class_recall": Measure(value=0.0, low=0.0, high=0.4, images=10),
    },
    {},
    0.25,
    {},
    0.001,
)
"""A model that never recognizes one class."""

MEASURE = Measure(value=0.8, low=0.7, high=0.9, images=40)
CHECKS = (
    Check(metric="auc", measure=MEASURE, required="at least 0.7", outcome="passed"),
    Check(metric="recall", measure=MEASURE, required="at least 0.9", outcome="failed"),
    Check(
        metric="accuracy",
        measure=MEASURE,
        required="at least 0.75, lower bound",
        outcome="undecided",
        needed=160,
    ),
    Check(
        metric="auc against the last blessed model",
        required="at least -0.02",
        outcome="skipped",
        note="there is none to compare with",
    ),
)


def result(outcome="not_blessed", checks=CHECKS, **values):
    found = {
        "subject": "serving/7",
        "outcome": outcome,
        "reasons": ("recall is too low",),
        "checks": checks,
        "images": 40,
        "metrics": {},
        "missing": {},
        "classes": (),
    }
    return GateResult(**{**found, **values})


def junit(tmp_path, found):
    write_junit(found, tmp_path / "gate.xml")
    root = ElementTree.parse(tmp_path / "gate.xml").getroot()
    return root, root.find("testsuite")


def test_each_threshold_is_a_test_case(tmp_path):
    root, suite = junit(tmp_path, result())
    assert root.tag == "testsuites"
    for element in (root, suite):
        counts = {key: element.get(key) for key in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    passed, failed, undecided, skipped = suite.iter("testcase")
    assert passed.get("name") == "auc"
    assert len(passed) == 0
    told = "recall 0.800 (0.700 to 0.900), required at least 0.9"
    assert failed.find("failure").get("message") == told
    assert undecided.find("error").get("type") == "undecided"
    assert skipped.find("skipped").get("message") == (
        "auc against the last blessed model: there is none to compare with"
    )


def test_all_formats_have_the_same_names_and_sentences(tmp_path):
    verdict = decide(Thresholds(), LOST)
    found = result(verdict.outcome, verdict.checks, reasons=verdict.reasons)
    _, suite = junit(tmp_path, found)
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    of_json = json.loads(found.model_dump_json())["checks"]
    text = markdown(found)
    assert set(cases) == {check["metric"] for check in of_json} > {"worst_class_recall"}
    for check in of_json:
        assert f"| {check['metric']} |" in text
        if check["outcome"] in ("failed", "undecided"):
            [said] = cases[check["metric"]]
            assert said.get("message") == check["sentence"] in verdict.reasons
            assert f"- {check['sentence']}" in text


@pytest.mark.parametrize("checks", [(), CHECKS[3:]])
def test_without_thresholds_a_test_case_fails(tmp_path, checks):
    root, suite = junit(tmp_path, result(checks=checks, reasons=("no threshold is set",)))
    assert root.get("failures") == "1"
    assert suite.findall("testcase")[-1].find("failure").get("message") == "no threshold is set"


def test_any_name_makes_valid_xml(tmp_path):
    odd = "a\x00\x1b[31m<&>\"'\udcff\ufffe.png"
    aside = (ExcludedFile(path=odd, reason=odd),)
    checks = (Check(metric=odd, required=odd, outcome="failed", note=odd),)
    _, suite = junit(
        tmp_path,
        result(checks=checks, excluded=aside, notes=(odd,), subject="<x>", reasons=(odd,)),
    )
    assert suite.get("name") == "siamese gate: <x>"
    assert "<&>\"'" in suite.find("system-out").text


@pytest.mark.parametrize(
    ("outcome", "heading"),
    [("blessed", "Blessed"), ("not_blessed", "Not blessed"), ("undecided", "Undecided")],
)
def test_markdown_begins_with_the_verdict(outcome, heading):
    assert markdown(result(outcome)).splitlines()[0].endswith(heading)


def test_markdown_tells_of_every_threshold():
    rows = [line for line in markdown(result()).splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0].split()[1] for row in cells] == ["passed", "failed", "undecided", "skipped"]
    assert cells[2][2:] == [
        "0.800", "0.700 to 0.900", f"<code>{'·' * 14}━━●━━·</code>", "at least 0.75, lower bound",
        "about 160 images would decide",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "ends", "drawn"),
    [
        ("auc", (0, 0, 1), "●" + "━" * 19),
        ("auc", (1, 1, 1), "·" * 19 + "●"),
        ("auc", (math.nan,) * 3, None),
        ("auc against raw pixels", (0.1, 0.2, 0.3), None),
    ],
)
def test_markdown_draws_intervals_of_shares(metric, ends, drawn):
    low, value, high = ends
    measure = Measure(value=value, low=low, high=high, images=9)
    check = Check(metric=metric, measure=measure, required="any", outcome="passed")
    [*_, row] = [line for line in markdown(result(checks=(check,))).splitlines() if "any" in line]
    assert row.split("|")[5].strip() == (f"<code>{drawn}</code>" if drawn else "")


def test_underscores_are_escaped_only_where_they_would_be_emphasis():
    lines = markdown(result(notes=("class_accuracy and _this_ and a__b",)))
    assert "Note: class_accuracy and &#95;this&#95; and a&#95;&#95;b." in lines


def test_lines_of_names_stay_lines():
    aside = (ExcludedFile(path="a\n# b", reason="is `empty`"),)
    lines = markdown(result(excluded=aside, notes=("<script>",))).splitlines()
    assert not any(line.startswith("# b") for line in lines)
    assert "<script>" not in "\n".join(lines)
    assert any("is &#96;empty&#96;" in line for line in lines)
