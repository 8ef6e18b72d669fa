import sys
from pathlib import Path

import pytest

from serving.engine import EngineError, Serving, choose, command


def script(folder: Path, name: str, code: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{code}\n")
    file.chmod(0o755)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An empty PATH, to put programs on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_without_anything_the_embedded_server_serves(path):
    assert choose("auto") == "embedded"


def test_tensorflow_serving_comes_first_then_docker(path):
    script(path, "docker", "exit 0")
    assert choose("auto") == "docker"
    script(path, "tensorflow_model_server", "exit 0")
    assert choose("auto") == "tensorflow"
    assert choose("embedded") == "embedded"


def test_a_docker_that_does_not_answer_is_not_at_hand(path):
    script(path, "docker", "exit 1")
    assert choose("auto") == "embedded"
    with pytest.raises(EngineError, match="Docker does not answer"):
        choose("docker")


def test_what_was_asked_for_and_is_not_there(path):
    with pytest.raises(EngineError, match="tensorflow_model_server is not on the PATH"):
        choose("tensorflow")


def test_all_get_the_same_options(tmp_path):
    serving = Serving("parts", tmp_path, 1, 2, ("--enable_batching=true",))
    options = [
        "--model_name=parts",
        f"--model_base_path={tmp_path}",
        "--port=1",
        "--rest_api_port=2",
        "--enable_batching=true",
    ]
    assert command("tensorflow", serving) == ["tensorflow_model_server", *options]
    assert command("embedded", serving) == [sys.executable, "-m", "serving.embedded", *options]
    docker = command("docker", serving)
    assert docker[-2:] == [docker[-2], "--enable_batching=true"]
    assert docker[-2].startswith("tensorflow/serving:")
    assert f"type=bind,source={tmp_path},target=/models/parts,readonly" in docker


def test_an_engine_of_no_such_name():
    with pytest.raises(EngineError, match="'tf' is none of auto, tensorflow, docker, embedded"):
        choose("tf")


def test_answering_this_machine_only(tmp_path):
    serving = Serving("parts", tmp_path, 1, 2, only_here=True)
    assert "--host=localhost" in command("embedded", serving)
    assert "127.0.0.1:1:8500" in command("docker", serving)
    assert "--host=localhost" not in command("tensorflow", serving)  # it has no such option
