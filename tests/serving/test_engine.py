import socket
import sys
from pathlib import Path

import pytest

from base.errors import UserError
from serving.class_images import EnrollError
from serving.client import ImageError
from serving.connection import ServingError
from serving.embedded.options import UsageError
from serving.engine import (
    IMAGE,
    SERVER_OPTIONS,
    EngineError,
    PortInUse,
    Serving,
    check_ports,
    choose,
    command,
)
from serving.infra_check import InfraCheckError
from serving.next_version import VersionError
from serving.temporary_server import free_ports
from serving.version_labels import FOLLOWING_OPTIONS, Labels


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


def test_a_docker_that_does_not_answer_is_not_available(path):
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
        *SERVER_OPTIONS,
        "--enable_batching=true",
    ]
    assert command("tensorflow", serving) == ["tensorflow_model_server", *options]
    assert command("embedded", serving) == [
        *(sys.executable, "-m", "serving.embedded", "--host=127.0.0.1"),
        *options,
    ]
    docker = command("docker", serving)
    assert docker[-5:] == [IMAGE, *SERVER_OPTIONS, "--enable_batching=true"]
    assert f"type=bind,source={tmp_path},target=/models/parts,readonly" in docker


def test_labels_are_followed(tmp_path):
    labels = Labels("parts", str(tmp_path))
    serving = Serving("parts", tmp_path, 1, 2, labels=labels)
    followed = [f"--model_config_file={tmp_path}/models.config", *FOLLOWING_OPTIONS]
    for engine in ("tensorflow", "embedded"):
        started = command(engine, serving)
        assert started[-len(followed) - 2 - len(SERVER_OPTIONS) :] == [
            *followed,
            "--port=1",
            "--rest_api_port=2",
            *SERVER_OPTIONS,
        ]
        assert not any("--model_base_path" in word for word in started)  # they exclude each other


def test_labels_for_a_container_are_followed_in_one(tmp_path):
    labels = Labels("siamese", "/models/siamese")
    serving = Serving("siamese", tmp_path, 1, 2, labels=labels)
    started = command("docker", serving)
    assert f"type=bind,source={tmp_path},target=/models/siamese,readonly" in started
    assert "--model_config_file=/models/siamese/models.config" in started
    with pytest.raises(EngineError, match="see the versions at /models/siamese, as containers"):
        command("embedded", serving)


def test_an_engine_of_no_such_name():
    with pytest.raises(
        EngineError, match="'tf': unknown; choose one of auto, tensorflow, docker, embedded"
    ):
        choose("tf")


@pytest.mark.parametrize(
    ("host", "published"),
    [
        (None, "127.0.0.1:1:8500"),
        ("0.0.0.0", "0.0.0.0:1:8500"),
        ("::1", "[::1]:1:8500"),
        ("localhost", "127.0.0.1:1:8500"),
    ],
)
def test_each_engine_binds_to_the_host(tmp_path, host, published):
    serving = Serving("parts", tmp_path, 1, 2, host=host)
    address = published.removesuffix(":1:8500").strip("[]")
    assert f"--host={address}" in command("embedded", serving)
    assert published in command("docker", serving)


def test_a_host_without_an_address_is_refused(tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(EngineError, match="cannot listen on nowhere: Name or service not known"):
        command("docker", Serving("parts", tmp_path, host="nowhere"))


def test_tensorflow_serving_listens_on_all_interfaces(tmp_path):
    for host in (None, "0.0.0.0"):
        serving = Serving("parts", tmp_path, 1, 2, host=host)
        assert not any("host" in option for option in command("tensorflow", serving))
    with pytest.raises(EngineError, match="has no option for another address"):
        command("tensorflow", serving._replace(host="127.0.0.1"))


def test_a_busy_port_is_named(tmp_path):
    port, rest_port = free_ports(2)
    serving = Serving("parts", tmp_path, port, rest_port)
    check_ports("embedded", serving)
    with socket.create_server(("127.0.0.1", rest_port)):
        for engine in ("embedded", "docker", "tensorflow"):
            with pytest.raises(PortInUse, match=f"port {rest_port} of .* is in use") as found:
                check_ports(engine, serving)
            assert found.value.port == rest_port
        check_ports("embedded", serving._replace(host="127.0.0.2"))


def test_an_address_of_another_machine(tmp_path):
    with pytest.raises(EngineError, match=r"cannot listen on 192\.0\.2\.1:"):
        check_ports("embedded", Serving("parts", tmp_path, *free_ports(2), host="192.0.2.1"))


@pytest.mark.parametrize(
    "error",
    [
        EngineError,
        ServingError,
        ImageError,
        EnrollError,
        InfraCheckError,
        VersionError,
        UsageError,
    ],
)
def test_errors_are_the_users_to_fix(error):
    assert issubclass(error, UserError)
