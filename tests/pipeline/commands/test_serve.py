"""`siamese serve`: what it starts, and what it refuses. The server itself is not started."""

import os
import socket
import sys

import pytest
from command_line import siamese

from pipeline.runs import pushed
from pipeline.terminal.console import FAILED, WRONG_USE
from serving.version_labels import Labels, read_labels, write_labels


class Started(Exception):
    """Instead of replacing this process."""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    (tmp_path / "runs/mine/serving/7").mkdir(parents=True)
    (tmp_path / "runs/mine/serving/7/saved_model.pb").touch()
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """The command and the environment of each server that is started."""
    commands = []
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")

    monkeypatch.setattr(os, "execvpe", lambda _, *started: commands.extend(started))
    return commands


@pytest.fixture
def ports():
    """Two free ports."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        numbers = [each.getsockname()[1] for each in (one, other)]
    return ["--port", numbers[0], "--rest-port", numbers[1]]


def test_this_machine_alone_is_answered(started, ports):
    result = siamese("serve", "my.yaml", *ports, "--enable_batching=true")
    assert result.exit_code == 0, result.everything
    command, environment = started
    assert command[:3] == [sys.executable, "-m", "serving.embedded"]
    assert {"--host=127.0.0.1", f"--port={ports[1]}", "--enable_batching=true"} <= {*command}
    assert f"gRPC on 127.0.0.1:{ports[1]}" in result.stderr
    assert environment["TF_CPP_MIN_LOG_LEVEL"] == "3"


def test_verbose_leaves_the_log_of_tensorflow(started, ports):
    assert siamese("serve", "my.yaml", *ports, "--verbose").exit_code == 0
    assert "TF_CPP_MIN_LOG_LEVEL" not in started[1]


def test_other_machines_are_answered_if_asked_for(started, ports):
    assert siamese("serve", "my.yaml", *ports, "--host", "0.0.0.0").exit_code == 0
    assert "--host=0.0.0.0" in started[0]


def test_a_host_may_be_a_name(started, ports):
    result = siamese("serve", "my.yaml", *ports, "--host", "localhost")
    assert "--host=127.0.0.1" in started[0]
    assert "all interfaces" not in result.everything


@pytest.mark.parametrize("option", ["--port", "--rest-port"])
def test_a_busy_port_is_blamed_on_its_option(started, ports, option):
    number = ports[ports.index(option) + 1]
    with socket.create_server(("127.0.0.1", number)):
        result = siamese("serve", "my.yaml", *ports)
    assert result.exit_code == WRONG_USE
    assert f"Error: {option} {number} is in use" in result.stderr
    assert started == []


def test_one_port_for_both_is_refused(started, ports):
    result = siamese("serve", "my.yaml", "--port", ports[1], "--rest-port", ports[1])
    assert result.exit_code == WRONG_USE
    assert "give two different ports" in result.stderr


def test_tensorflow_model_server_cannot_listen_on_one_address(place, monkeypatch, started, ports):
    (place / "tensorflow_model_server").write_text("#!/bin/sh\n")
    (place / "tensorflow_model_server").chmod(0o755)
    monkeypatch.setenv("PATH", str(place))
    result = siamese("serve", "my.yaml", *ports, "--host", "127.0.0.1")
    assert result.exit_code == FAILED
    assert siamese("serve", "my.yaml", *ports).exit_code == 0
    assert started[0][0] == "tensorflow_model_server"


def test_a_file_of_labels_is_written_and_followed(place, started, ports):
    assert siamese("serve", "my.yaml", *ports).exit_code == 0
    base = place / "runs/mine/serving"
    assert f"--model_config_file={base}/models.config" in started[0]
    assert read_labels(base / "models.config") == Labels("mine", str(base))


def test_the_labels_name_the_model(place, started, ports):
    base = place / "runs/mine/serving"
    write_labels(base / "models.config", Labels("parts", str(base), {"stable": 7}, (7,)))
    result = siamese("serve", "my.yaml", *ports)
    assert "Serving parts from" in result.stderr
    assert read_labels(base / "models.config").versions == {"stable": 7}


def test_a_labelled_version_that_is_gone(place, started, ports):
    base = place / "runs/mine/serving"
    write_labels(base / "models.config", Labels("parts", str(base), {"stable": 6}, (6,)))
    result = siamese("serve", "my.yaml", *ports)
    assert result.exit_code == WRONG_USE
    assert "gives a label to versions that are not there (6)" in result.stderr
    assert started == []


def test_where_no_labels_can_be_written_the_newest_is_served(place, started, ports, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pushed, "write_labels", refused)
    assert siamese("serve", "my.yaml", *ports).exit_code == 0
    assert f"--model_base_path={place / 'runs/mine/serving'}" in started[0]
