import json
import os

import pytest
import tensorflow as tf

from judging.judgement import Verdict
from pipeline.cluster.verdict import GateOutputs
from pipeline.cluster.verdict import read_verdict as read


def read_verdict(folder):
    return read(GateOutputs.of_kubeflow(folder))


@pytest.fixture
def judged(tmp_path):
    """Writes a judgement; returns the file."""

    def write(outcome, attempt=1):
        file = tmp_path / "Judge" / str(attempt) / "judgement" / "judgement.json"
        file.parent.mkdir(parents=True)
        verdict = Verdict(outcome=outcome, checks=(), reasons=("so it is",))
        file.write_text(json.dumps({"verdict": verdict.model_dump(), "more": "than this"}))
        return file

    return write


def withhold(tmp_path, problem):
    file = tmp_path / "InfraCheck" / "1" / "blessing" / "INFRA_NOT_BLESSED"
    file.parent.mkdir(parents=True)
    file.write_text(problem)


@pytest.mark.parametrize("outcome", ["blessed", "not_blessed", "undecided"])
def test_the_judges_verdict_is_read(tmp_path, judged, outcome):
    judged(outcome)
    assert read_verdict(str(tmp_path)) == Verdict(outcome=outcome, checks=(), reasons=("so it is",))


def test_a_bucket_is_read_through_tensorflow(tmp_path, judged):
    judged("undecided")
    withhold(tmp_path, "no such op")
    there = "ram://bucket/parts/r1"
    for file in tmp_path.rglob("*"):
        if file.is_file():
            copy = f"{there}/{file.relative_to(tmp_path)}"
            tf.io.gfile.makedirs(os.path.dirname(copy))
            tf.io.gfile.copy(str(file), copy)
    assert read_verdict(there) == read_verdict(str(tmp_path))
    assert read_verdict(there).outcome == "not_blessed"


def test_a_model_that_cannot_be_served_is_not_blessed(tmp_path, judged):
    judged("blessed")
    withhold(tmp_path, "no such op")
    found = read_verdict(str(tmp_path))
    assert found.outcome == "not_blessed"
    assert found.reasons == ("InfraCheck failed: no such op",)


def test_the_last_try_of_a_task_counts(tmp_path, judged):
    os.utime(judged("blessed", attempt=2), (1, 1))
    os.utime(judged("undecided", attempt=1), (2, 2))
    assert read_verdict(str(tmp_path)).outcome == "undecided"


def test_without_a_judge_there_is_none(tmp_path):
    assert read_verdict(str(tmp_path)) is None


@pytest.mark.parametrize("text", ["{", "{}", '{"verdict": {"outcome": "well"}}'])
def test_an_unreadable_judgement_is_none(tmp_path, judged, text):
    judged("blessed").write_text(text)
    assert read_verdict(str(tmp_path)) is None


def test_a_missing_bucket_has_none():
    assert read_verdict("no-such-scheme://bucket/runs/parts/r1") is None
