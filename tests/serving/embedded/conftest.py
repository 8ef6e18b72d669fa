"""A server on the probe, which tests share, or any server that is given.

    python -m pytest tests/serving/embedded/conformance \\
        --server localhost:8500 --rest-server localhost:8501

asks a server that serves `FOLDER/probe`, written by models.py, under the name `probe`.
"""

import pytest

from serving.connection import Connection
from tests.serving.embedded.models import write_probe
from tests.serving.embedded.processes import Client, Server


def pytest_addoption(parser):
    group = parser.getgroup("serving")
    group.addoption("--server", help="host:port of a server's gRPC, for the conformance suite")
    group.addoption("--rest-server", help="host:port of the same server's REST")
    group.addoption(
        "--full-load", action="store_true", help="the load test for a minute, not for seconds"
    )


def option(request, name):
    """An option's value; unset where pytest was started above this folder and knows it not."""
    return request.config.getoption(name, default=None)


@pytest.fixture(scope="session")
def probe_folder(tmp_path_factory):
    """Base path of the probe's version 1."""
    folder = tmp_path_factory.mktemp("models") / "probe"
    write_probe(folder)
    return folder


@pytest.fixture(scope="session")
def probe_server(probe_folder, tmp_path_factory):
    """Serves the probe, with metrics."""
    folder = tmp_path_factory.mktemp("server")
    monitoring = folder / "monitoring.txt"
    monitoring.write_text("prometheus_config { enable: true }")
    server = Server(
        folder / "log",
        model_name="probe",
        model_base_path=probe_folder,
        monitoring_config_file=monitoring,
        grpc_channel_arguments=f"grpc.max_receive_message_length={16 * 2**20}",
    )
    yield server
    server.kill()


@pytest.fixture(scope="session")
def client(request):
    """Asks the server that the command line names, or else one of our own."""
    address, rest = option(request, "--server"), option(request, "--rest-server")
    if address:
        with Connection(address, "probe") as connection:
            connection.wait_until_available(180)  # it may have been started just now
        return Client(address, rest or "")
    return request.getfixturevalue("probe_server").client()
