import os
import subprocess
import sys

import pytest
from command_line import siamese

from judging.judgement import Verdict
from pipeline import cli
from pipeline.config.reading import load
from pipeline.runs import progress
from pipeline.runs.folder_lock import locked
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.summary import Summary


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    return tmp_path


def test_starts_without_tensorflow():
    code = "import pipeline.cli, sys; print([m for m in ('tensorflow', 'keras', 'tfx', 'sklearn',"
    code += " 'ml_metadata', 'apache_beam', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


COMMANDS = ["sample-data", "run", "predict", "classify", "serve", "show", "enroll"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    result = siamese(command, "--help")
    assert result.exit_code == 0
    assert f"siamese {command}" in result.output
    assert "Example:" in result.output


def test_version():
    assert siamese("--version").output.strip()[0].isdigit()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.yaml"], "none.yaml: cannot be read"),
        (["run", "my.yaml", "--set", "training.epochs=x"], "training.epochs"),
        (["run", "my.yaml", "--set", "data.root=nowhere"], "siamese sample-data nowhere"),
        (["run", "my.yaml", "--set", "judge.unknown=nowhere"], "judge.unknown: there is no folder"),
        (["run", "my.yaml", "--runner", "spark"], "runner: input should be 'beam' or 'local'"),
        (["sample-data", "my.yaml"], "is a file; name a folder"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(arguments, message):
    result = siamese(*arguments)
    assert result.exit_code == cli.WRONG_USE
    assert message in result.everything
    assert "Traceback" not in result.everything


def test_show_without_runs_says_how_to_start_one():
    result = siamese("show", "my.yaml")
    assert result.exit_code == cli.FAILED
    assert "siamese run my.yaml" in result.everything


def test_a_damaged_database_is_named(place):
    (place / "runs/mine").mkdir(parents=True)
    (place / "runs/mine/metadata.sqlite").write_bytes(b"?" * 5000)
    for command in (["show", "my.yaml"], ["gate", "my.yaml"], ["compare", "my.yaml", "my.yaml"]):
        result = siamese(*command)
        assert result.exit_code in (cli.FAILED, cli.WRONG_USE)
        assert "runs/mine/metadata.sqlite: is no database" in result.everything


def finished(outcome, failure=None, unexpected=False):
    blessing = Artifact(uri="b", properties={"verdict": outcome})
    return Summary(
        name="mine",
        started="2026-01-01T00:00:00Z",
        run=Run(
            id="1",
            started="2026-01-01T00:00:00Z",
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
        (-15, None, None, 1, "ended by signal 15 (Terminated). The next run goes on"),
    ],
)
def test_exit_codes(monkeypatch, place, code, component, summary, exit_code, message):
    def follow(command, log, console, inherited):
        log.write_text("INFO:absl: noise\nthe last relevant line\n")
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
        log.write_text("INFO:absl: noise\nthe last relevant line\n")
        finished("blessed", "KeyError: 'x'", unexpected).write(log.parent)
        return 1, "Trainer"

    monkeypatch.setattr(progress, "follow", follow)
    result = siamese("run", "my.yaml")
    assert result.exit_code == cli.FAILED
    assert "KeyError: 'x'" in result.everything
    assert ("the last relevant line" in result.everything) == unexpected


def test_an_interrupt_says_that_the_run_can_go_on(monkeypatch):
    def follow(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "follow", follow)
    result = siamese("run", "my.yaml")
    assert result.exit_code == cli.FAILED
    assert "goes on after the last finished component" in result.everything


def test_an_unexpected_error_is_no_traceback(monkeypatch, capsys):
    def broken():
        raise RuntimeError("a defect in [/x]/[b]")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == cli.FAILED
    assert "RuntimeError: a defect in [/x]/[b]" in capsys.readouterr().err


def test_sample_data_says_what_it_wrote():
    assert (
        "10 images of 10 classes written" in siamese("sample-data", "d", "--per-class", "1").output
    )
    assert "(10 were there already)" in siamese("sample-data", "d", "--per-class", "1").output


def test_brackets_in_a_path_are_no_markup(monkeypatch):
    assert siamese("sample-data", "d[/x]", "--per-class", "1").output.startswith("d[/x]: 10 images")

    def follow(command, log, console, inherited):
        log.touch()
        return 1, None

    monkeypatch.setattr(progress, "follow", follow)
    result = siamese("run", "my.yaml", "--set", "output=o[dim]", "--set", "artifacts=elsewhere")
    assert result.exit_code == cli.FAILED
    assert "log in o[dim]" in result.output


def test_one_run_of_a_pipeline_at_a_time(monkeypatch, place):
    def follow(command, log, *_):
        finished("blessed").write(log.parent)
        second = siamese("run", "my.yaml")
        assert second.exit_code == cli.FAILED
        told = f"runs/mine: another run is under way (process {os.getpid()} on"
        assert told in second.everything
        # It has left nothing behind, and another pipeline is free.
        assert len(list((place / "runs/mine/runs").iterdir())) == 1
        with locked(place / "runs" / "other"):
            return 0, None

    monkeypatch.setattr(progress, "follow", follow)
    assert siamese("run", "my.yaml").exit_code == 0
    with locked(place / "runs" / "mine"):  # free again
        pass
