import socket

import pytest
from command_line import siamese

from pipeline.terminal.console import WRONG_USE


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("name: mine\ndata: {root: data}\n")
    return path


def test_other_machines_need_a_token(config):
    result = siamese("ui", config, "--host", "0.0.0.0")
    assert result.exit_code == WRONG_USE
    assert "--token new" in result.stderr


def test_a_label_is_a_servers(config):
    assert "--label: only with --server" in siamese("ui", config, "--label", "stable").stderr


@pytest.mark.parametrize("token", ["short", "", "not ASCII, but long enough: ä"])
def test_a_token_that_is_too_weak(config, token):
    result = siamese("ui", config, "--token", token)
    assert result.exit_code == WRONG_USE
    assert "--token new" in result.stderr


def test_a_port_in_use_and_an_address_of_another_machine(config):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = siamese("ui", config, "--port", port, "--server", "localhost:1")
    assert result.exit_code == WRONG_USE
    assert f"--port {port}: is in use on 127.0.0.1" in result.stderr
    result = siamese("ui", config, "--host", "203.0.113.1", "--token", "new")
    assert "--host 203.0.113.1: cannot listen there" in result.stderr
