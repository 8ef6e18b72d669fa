"""`siamese run`, with a stand-in for the process that runs the pipeline."""

import json
import os
import socket

import pytest
from command_line import siamese
from sample_images import write_classes

from judging.judgement import Verdict
from pipeline.config.reading import load
from pipeline.runs import progress
from pipeline.runs.folder_lock import locked
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.summary import Summary
from pipeline.terminal.console import FAILED, INTERRUPTED


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "data", classes=2, each=5)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    return tmp_path


def finished(outcome, failure=None, unexpected=False):
    blessing = Artifact(uri="b", properties={"verdict": outcome})
    return Summary(
        name="mine",
        started="2026-01-01T00:00:00Z",
        run=Run(
            id="1",
            components=[Component(id="Judge", outcome="done", outputs={"blessing": blessing})],
        ),
        failure=failure,
        unexpected=unexpected,
        verdict=Verdict(outcome=outcome, checks=(), reasons=("auc is what it is",)),
        serving_root="s",
    )


@pytest.mark.parametrize(
    ("code", "component", "summary", "exit_code", "message"),
    [
        (0, None, finished("blessed"), 0, "Blessed: auc is what it is"),
        (0, None, finished("not_blessed"), 3, "Not blessed: auc is what it is"),
        (0, None, finished("undecided"), 4, "Undecided: auc is what it is"),
        (1, "Trainer", finished("blessed", "no weights"), 1, "Failed in Trainer.\nno weights"),
        (1, "Trainer", None, 1, "the last relevant line"),
        (-9, "PairGen", None, 1, "Failed in PairGen.\nthe run was ended by signal 9 (Killed), as"),
        (-15, None, None, 1, "ended by signal 15 (Terminated). The next run resumes"),
    ],
)
def test_exit_codes(monkeypatch, place, code, component, summary, exit_code, message):
    def follow(command, log, console, inherited):
        log.write_text("2026-01-01 00:00:00,123 INFO absl: noise\nthe last relevant line\n")
        assert command[1:3] == ["-m", "pipeline.runs.launch"]
        assert load(log.parent / "config.yaml").training.epochs == 3
        if summary:
            summary.write(log.parent)
        return code, component

    monkeypatch.setattr(progress, "follow", follow)
    result = siamese("run", "my.yaml", "--set", "training.epochs=3")
    assert result.exit_code == exit_code
    assert message in result.everything
    assert "noise" not in result.everything
    if exit_code == 1:
        assert "log.txt" in result.everything


@pytest.mark.parametrize("unexpected", [True, False])
def test_the_log_is_shown_where_an_error_does_not_explain_itself(monkeypatch, unexpected):
    def follow(command, log, console, inherited):
        log.write_text("2026-01-01 12:00:00,000 INFO absl: noise\nthe last relevant line\n")
        finished("blessed", "KeyError: 'x'", unexpected).write(log.parent)
        return 1, "Trainer"

    monkeypatch.setattr(progress, "follow", follow)
    result = siamese("run", "my.yaml")
    assert result.exit_code == FAILED
    assert "KeyError: 'x'" in result.everything
    assert ("the last relevant line" in result.everything) == unexpected


def test_an_interrupt_says_that_the_run_can_resume(monkeypatch):
    def follow(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "follow", follow)
    result = siamese("run", "my.yaml")
    assert result.exit_code == INTERRUPTED
    assert "resumes after the last finished component" in result.stderr


def test_json_is_all_that_standard_output_holds(monkeypatch):
    def follow(command, log, console, inherited):
        console.print("Trainer: done")
        finished("blessed").write(log.parent)
        return 0, None

    monkeypatch.setattr(progress, "follow", follow)
    result = siamese("run", "my.yaml", "--json")
    assert json.loads(result.stdout)["verdict"]["outcome"] == "blessed"
    assert "Trainer: done" in result.stderr


def test_quiet_prints_the_verdict_alone(monkeypatch):
    def follow(command, log, console, inherited):
        console.print("Trainer: done")
        finished("blessed").write(log.parent)
        return 0, None

    monkeypatch.setattr(progress, "follow", follow)
    assert siamese("run", "my.yaml", "-q").everything == "Blessed: auc is what it is.\n"


def test_components_are_listed_once(monkeypatch):
    def follow(command, log, console, inherited):
        console.print("Judge: done")
        finished("blessed").write(log.parent)
        return 0, None

    monkeypatch.setattr(progress, "follow", follow)
    assert siamese("run", "my.yaml").everything.count("Judge") == 1


def test_brackets_in_a_path_are_no_markup(monkeypatch):
    def follow(command, log, console, inherited):
        log.touch()
        return 1, None

    monkeypatch.setattr(progress, "follow", follow)
    result = siamese("run", "my.yaml", "--set", "output=o[dim]", "--set", "artifacts=elsewhere")
    assert result.exit_code == FAILED
    assert "log in o[dim]" in result.stderr


def test_one_run_of_a_pipeline_at_a_time(monkeypatch, place):
    def follow(command, log, *_):
        finished("blessed").write(log.parent)
        second = siamese("run", "my.yaml")
        assert second.exit_code == FAILED
        told = f"runs/mine: another run is in progress (process {os.getpid()} on"
        assert told in second.everything
        # It has left nothing behind, and another pipeline is free.
        assert len(list((place / "runs/mine/runs").iterdir())) == 1
        with locked(place / "runs" / "other"):
            return 0, None

    monkeypatch.setattr(progress, "follow", follow)
    assert siamese("run", "my.yaml").exit_code == 0
    with locked(place / "runs" / "mine"):  # free again
        pass


def test_a_webhook_that_is_gone_changes_no_exit_code(monkeypatch, place):
    def follow(command, log, console, inherited):
        assert "s3cret" not in (log.parent / "config.yaml").read_text()
        finished("not_blessed").write(log.parent)
        return 0, None

    monkeypatch.setattr(progress, "follow", follow)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"notify.url=http://127.0.0.1:{port}/s3cret"
    result = siamese("run", "my.yaml", "--set", url)
    assert result.exit_code == 3
    assert "Warning: 127.0.0.1 was not notified: Connection refused." in result.stderr
    assert "s3cret" not in result.everything
