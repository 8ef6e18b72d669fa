import errno
import itertools
import os
import signal
import subprocess
import sys
import time
from importlib import metadata

import pytest
from command_line import SIAMESE, siamese
from sample_images import write_classes

from pipeline import cli
from pipeline.commands import kubeflow
from pipeline.config import reading
from pipeline.terminal.console import FAILED, INTERRUPTED, WRONG_USE


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "data", classes=2, each=5)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    return tmp_path


def test_starts_without_tensorflow():
    code = "import pipeline.cli, sys; print([m for m in ('tensorflow', 'keras', 'tfx', 'sklearn',"
    code += " 'ml_metadata', 'apache_beam', 'cv2', 'grpc') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


COMMANDS = [command.name for command in cli.app.registered_commands]
OF_KUBEFLOW = [command.name for command in kubeflow.app.registered_commands]


@pytest.mark.parametrize(
    "command", [*([name] for name in COMMANDS), *(["kubeflow", name] for name in OF_KUBEFLOW)]
)
def test_every_command_has_help_with_an_example(monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    result = siamese(*command, "-h")
    assert result.exit_code == 0
    assert f"Example: siamese {' '.join(command)}" in result.stdout
    assert "<bool>" not in result.stdout
    assert "<list" not in result.stdout
    assert siamese(*command, "--help") == result


@pytest.mark.parametrize("command", COMMANDS)
def test_a_paragraph_of_help_has_no_short_line_but_its_last(monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    text = siamese(command, "-h").stdout.partition("╭")[0]
    for paragraph in text.split("\n" + " " * 80 + "\n")[2:]:
        lines = [line.strip() for line in paragraph.splitlines()]
        for line, following in itertools.pairwise(lines):
            assert len(line) + len(following.split()[0]) >= 78, paragraph


def test_choices_are_shown_and_checked():
    for choice in ("auto", "tensorflow", "docker", "embedded"):
        assert choice in siamese("serve", "-h").stdout
    result = siamese("serve", "my.yaml", "--engine", "tf")
    assert result.exit_code == WRONG_USE
    assert "'tf'" in result.stderr
    assert "'embedded'" in result.stderr


@pytest.mark.parametrize("module", ["pipeline", "pipeline.cli"])
def test_runs_as_a_module(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "gate", "/nonsense"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (WRONG_USE, "")
    assert done.stderr == "Error: /nonsense: there is no such file or folder\n"


def test_completion_for_the_shell():
    done = subprocess.run(
        [SIAMESE], env={**os.environ, "_SIAMESE_COMPLETE": "complete_bash",
                        "COMP_WORDS": "siamese comp", "COMP_CWORD": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["compare"]


def test_version():
    assert siamese("--version").stdout == f"{metadata.version('siamese-tfx')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.yaml"], "none.yaml: cannot be read"),
        (["run", "my.yaml", "--set", "training.epochs=x"], "training.epochs"),
        (["run", "my.yaml", "--set", "data.root=nowhere"], "siamese sample-data nowhere"),
        (["run", "my.yaml", "--set", "judge.unknown=nowhere"], "judge.unknown: there is no folder"),
        (["sample-data", "my.yaml"], "is a file; name a folder"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(arguments, message):
    result = siamese(*arguments)
    assert result.exit_code == WRONG_USE
    assert message in result.everything
    assert "Traceback" not in result.everything


def test_runs_are_shown_without_a_database(place):
    (place / "runs/mine/runs/20260102-000000").mkdir(parents=True)
    (place / "runs/mine/runs/20260102-000000/config.yaml").touch()
    (place / "runs/mine/metadata.sqlite").write_bytes(b"?" * 5000)
    for options in ([], ["--run", "latest"]):
        result = siamese("show", "my.yaml", *options)
        assert result.exit_code == 0
        assert "nterrupted" in result.everything


def fail(error):
    def broken(*_, **__):
        raise error

    return broken


def test_an_unexpected_error_is_no_traceback(monkeypatch):
    monkeypatch.setattr(cli, "app", fail(RuntimeError("a defect in [/x]/[b]")))
    result = siamese("run", "my.yaml")
    assert result.exit_code == FAILED
    assert "RuntimeError: a defect in [/x]/[b]" in result.stderr
    monkeypatch.setenv("SIAMESE_DEBUG", "1")
    with pytest.raises(RuntimeError):
        siamese("run", "my.yaml")


def test_an_error_of_the_file_system_names_the_file(monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device", "a/b[c]")
    monkeypatch.setattr(cli, "app", fail(full))
    result = siamese("run", "my.yaml")
    assert (result.exit_code, result.stderr) == (FAILED, "Error: a/b[c]: No space left on device\n")


@pytest.mark.parametrize("command", ["show", "gate"])
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_any_command_with_130(monkeypatch, command, sign):
    if sign is signal.SIGINT:  # a shell's background jobs ignore it
        signal.signal(sign, signal.default_int_handler)
    monkeypatch.setattr(reading, "load", lambda *_: os.kill(os.getpid(), sign) or time.sleep(9))
    assert siamese(command, "my.yaml").exit_code == INTERRUPTED
