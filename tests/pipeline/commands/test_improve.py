"""`siamese improve`, with a stand-in for the run's process."""

from __future__ import annotations

import json
import shutil

import pytest
from command_line import siamese
from judged_runs import Pipelines, good, judged
from sample_images import encoded, picture

from judging.judgement import Verdict
from pipeline.config.reading import load
from pipeline.runs import progress
from pipeline.runs.folder_lock import locked
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.summary import Summary
from pipeline.terminal.console import FAILED, WRONG_USE
from storage.spans import SpanRecord
from traffic.rows import Decision, Kept, Review


@pytest.fixture
def runs(monkeypatch):
    """Stands in for the pipeline; the folders of its runs, each of which ends `not_blessed`."""
    folders = []

    def follow(command, log, console, inherited):
        folders.append(log.parent)
        blessing = Artifact(uri="b", properties={"verdict": "not_blessed"})
        judge = Component(id="Judge", outcome="done", outputs={"blessing": blessing})
        Summary(
            name="mine",
            started="2026-01-01T00:00:00Z",
            run=Run(id="1", components=[judge]),
            verdict=Verdict(outcome="not_blessed", checks=(), reasons=("auc is low",)),
            serving_root="s",
        ).write(log.parent)
        return 0, None

    monkeypatch.setattr(progress, "follow", follow)
    return folders


def reviewed(store, seed, label="class-0", decision=Decision.LABEL):
    content = encoded(picture(0, 1000 + seed))
    digest = store.add_image(content, Kept.UNKNOWN, 1.0)
    store.review(Review(digest, 1.0, decision, label))
    return digest


def test_reviewed_images_are_trained_on_and_the_exit_code_is_the_runs(store, runs, place):
    digest = reviewed(store, 1)
    result = siamese("improve", "my.yaml", "--json")
    assert result.exit_code == 3, result.everything
    found = json.loads(result.stdout)
    assert found["added"] == {f"class-0/review-{digest[:16]}.png": "class-0"}
    assert (found["span"], found["outcome"]) == ("parts-2", "not_blessed")
    assert found["run"]["id"] == runs[0].name
    assert len(list((place / "parts-2").glob("*/*"))) == 11


def test_nothing_to_do_is_no_failure(place, runs, store):
    result = siamese("improve", "my.yaml")
    assert (result.exit_code, runs) == (0, [])
    assert result.stdout == "Nothing to do: no reviewed image changes the data set.\n"
    reviewed(store, 1)
    reviewed(store, 2, label="", decision=Decision.NONE)
    result = siamese("improve", "my.yaml", "--at-least", "2")
    assert (result.exit_code, runs) == (0, [])
    assert "1 of at least 2 changes by reviewed images" in result.stdout
    shutil.rmtree(place / "runs")
    found = json.loads(siamese("improve", "my.yaml", "--json").stdout)
    assert found == {"outcome": None, "reason": "there is no traffic store runs/mine/traffic yet"}


def test_a_span_whose_run_failed_is_trained_on_by_the_next_call(store, runs, place):
    reviewed(store, 1)
    assert siamese("improve", "my.yaml", "--no-run").exit_code == 0
    assert runs == []
    assert siamese("improve", "my.yaml").exit_code == 3
    assert len(runs) == 1
    found = judged(good())
    judgement = found.judgement.model_copy(update={"root": str(place / "parts-2")})
    shutil.rmtree(place / "runs" / "mine" / "runs")
    Pipelines(place).add(found=found._replace(judgement=judgement))
    assert siamese("improve", "my.yaml").exit_code == 0
    assert len(runs) == 1


def test_two_at_once(store, runs):
    reviewed(store, 1)
    with locked(store.folder):
        result = siamese("improve", "my.yaml")
    assert (result.exit_code, runs) == (FAILED, [])
    assert "another run is in progress" in result.everything


def test_a_span_can_be_undone(store, runs, place):
    digest = reviewed(store, 1)
    siamese("improve", "my.yaml", "--no-run")
    assert store.review_of(digest).span == 2
    result = siamese("improve", "my.yaml", "--undo")
    assert "parts-2: removed" in result.stdout
    assert store.review_of(digest).span is None
    assert not (place / "parts-2").exists()


@pytest.fixture
def told(monkeypatch):
    """What the webhook is told: events and texts."""
    found = []
    monkeypatch.setattr("pipeline.notify.notify", lambda _, *said: found.append(said[:2]))
    return found


def test_the_webhook_is_told_of_a_span_that_cannot_be_written(store, runs, place, told):
    reviewed(store, 1)
    options = ("--set", "data.manifest=list.csv")
    (place / "parts-1" / "list.csv").write_text("path;label\n")
    result = siamese("improve", "my.yaml", *options)
    assert (result.exit_code, runs) == (WRONG_USE, [])
    assert [event for event, _ in told] == ["failure"]


def test_a_bad_decision_is_set_aside_and_named_and_the_rest_is_trained_on(store, runs, told):
    missing, text = reviewed(store, 1), store.add_image(b"no image", Kept.ADDED, 1.0)
    store.review(Review(text, 1.0, Decision.LABEL, "class-1"))
    store.image_path(missing).unlink()
    good, other = reviewed(store, 2), reviewed(store, 3, "Class-1")  # differs in upper case only
    result = siamese("improve", "my.yaml", "--json")
    assert result.exit_code == 3, result.everything
    found = json.loads(result.stdout)
    assert list(found["added"]) == [f"class-0/review-{good[:16]}.png"]
    assert set(found["set_aside"]) == {missing, text, other}
    for digest in found["set_aside"]:
        assert f"Set aside: image {digest[:12]}: " in result.stderr
    [(event, said), of_run] = told
    assert (event, of_run[0]) == ("failure", "verdict")
    assert "3 decisions about reviewed images cannot be used" in said


def test_where_only_bad_decisions_are_left_it_fails(store, runs, told):
    store.image_path(reviewed(store, 1)).unlink()
    result = siamese("improve", "my.yaml")
    assert (result.exit_code, runs, len(told)) == (FAILED, [], 1)
    assert "a decision cannot be used, and no other changes the data set" in result.stdout
    result = siamese("improve", "my.yaml", "--no-run", "--json")
    assert (result.exit_code, len(json.loads(result.stdout)["set_aside"])) == (FAILED, 1)
    reviewed(store, 2)
    result = siamese("improve", "my.yaml", "--at-least", "2")  # waits for more
    assert (result.exit_code, runs, len(told)) == (0, [], 2)


def test_a_span_that_a_run_may_read_is_not_undone(store, runs, place):
    reviewed(store, 1)
    siamese("improve", "my.yaml", "--no-run")
    with locked(load("my.yaml").root):
        result = siamese("improve", "my.yaml", "--undo")
    assert result.exit_code == FAILED
    assert (place / "parts-2").exists()


def test_groups_splits_and_new_classes_are_those_of_the_configuration(store, runs, place):
    for i in range(5):
        reviewed(store, i, "dent")
    result = siamese("improve", "my.yaml", "--no-run", "--set", "data.classes=[class-0, class-1]")
    assert "5 images of the new class 'dent', which data.classes does not list" in result.stderr
    assert siamese("improve", "my.yaml", "--no-run").exit_code == 0
    assert SpanRecord.read("parts-2").classes == ["dent"]


def test_a_data_root_without_spans_is_refused(store, runs, place):
    reviewed(store, 1)
    result = siamese("improve", "my.yaml", "--set", "data.root=parts-1")
    assert (result.exit_code, runs) == (WRONG_USE, [])
    assert 'Once: mv parts-1 parts-1-1, and set data.root: "parts-1-{SPAN}"' in result.everything


def test_a_bucket_is_refused(store, runs):
    result = siamese("improve", "my.yaml", "--set", "data.root='gs://b/parts-{SPAN}'")
    assert (result.exit_code, runs) == (WRONG_USE, [])
    assert "where a folder cannot appear whole" in result.everything
