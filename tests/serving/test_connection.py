"""Against a fake service in this process: what goes over the wire, retries, TLS, errors."""

import subprocess

import grpc
import pytest
from fake_serving import STATE, Service, serving

from serving.connection import Connection, ServingError, Tls


@pytest.fixture
def connection(address):
    with Connection(address, "parts") as connection:
        yield connection


def ask(connection, image=b"an image"):
    return connection.predict("classify", {"image": [image]})


def test_a_signature_is_asked_for(service, connection):
    assert ask(connection)["label"].tolist() == [b"a"]
    [request] = service.requests
    assert (request.model_spec.name, request.model_spec.signature_name) == ("parts", "classify")


@pytest.mark.parametrize(
    ("chosen", "field"), [({"version": 7}, "version"), ({"version_label": "canary"}, "label")]
)
def test_a_version_or_a_label_is_asked_for(service, address, chosen, field):
    with Connection(address, "parts", **chosen) as connection:
        ask(connection)
    spec = service.requests[0].model_spec
    assert (spec.version.value, spec.version_label) == (
        (7, "") if field == "version" else (0, "canary")
    )


def test_not_both_a_version_and_a_label():
    with pytest.raises(ValueError, match="a version or a label, not both"):
        Connection("localhost:1", "parts", version=1, version_label="canary")


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_an_overloaded_server_is_tried_again_whatever_the_size(service, connection, code):
    service.failures = [(grpc.StatusCode[code], "Server Threadpool Exhausted")] * 3
    assert ask(connection, b"x" * 1_000_000)["valid"].all()
    assert len(service.requests) == 4


@pytest.mark.parametrize(
    ("code", "details", "message"),
    [
        ("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted", "overloaded.*--grpc_max_threads"),
        ("UNAVAILABLE", "The batch scheduling queue is full", "overloaded.*max_enqueued_batches"),
        ("UNAVAILABLE", "Connection refused", "is a server running there"),
    ],
)
def test_the_message_says_which_it_was(service, connection, monkeypatch, code, details, message):
    service.failures = [(grpc.StatusCode[code], details)] * 5
    with pytest.raises(ServingError, match=message) as caught:
        ask(connection)
    assert code in str(caught.value)
    assert len(service.requests) == 5


def test_calls_are_distributed_among_all_servers_of_a_name():
    services = [Service(), Service()]
    with serving(services[0]) as first, serving(services[1]) as second:
        addresses = ",".join(f"127.0.0.1:{each.rpartition(':')[2]}" for each in (first, second))
        with Connection(f"ipv4:{addresses}", "parts") as connection:
            for _ in range(20):
                ask(connection)
    assert min(len(each.requests) for each in services) >= 5


def test_other_errors_are_not_tried_again(service, connection):
    service.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "input must be a vector")]
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: input must be a vector") as caught:
        ask(connection)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (grpc.StatusCode.NOT_FOUND, "has no such model or version: why"),
        (grpc.StatusCode.NOT_FOUND, "the name asked for is 'parts'"),
        (
            grpc.StatusCode.FAILED_PRECONDITION,
            "the model 'parts' at localhost:.* was not exported by this project",
        ),
        (grpc.StatusCode.UNAUTHENTICATED, "refuses this client .*: why.*; give a valid token"),
        (grpc.StatusCode.PERMISSION_DENIED, "refuses this client .*: why.*; give a valid token"),
        (grpc.StatusCode.UNIMPLEMENTED, "is no TensorFlow Serving .*its gRPC port"),
    ],
)
def test_errors_are_told_in_words(service, connection, code, message):
    service.failures = [(code, "why")]
    with pytest.raises(ServingError, match=message):
        ask(connection)


def test_another_signature_is_another_projects_model(service, connection):
    service.failures = [
        (grpc.StatusCode.INVALID_ARGUMENT, "input size does not match signature: 1!=2")
    ]
    with pytest.raises(ServingError, match="was not exported by this project"):
        ask(connection)


def test_nobody_at_home():
    with (
        Connection("localhost:1", "parts", timeout=10) as connection,
        pytest.raises(ServingError, match=r"localhost:1 does not answer .*siamese serve"),
    ):
        ask(connection)


def test_a_deadline(service, address):
    service.gate.clear()
    with (
        Connection(address, "parts", timeout=0.3) as connection,
        pytest.raises(ServingError, match=r"gave no answer in time; increase the timeout \(0\.3 s"),
    ):
        ask(connection)
    service.gate.set()


def test_a_deadline_before_the_retries_end():
    """Whether a server runs there is not known yet."""
    with (
        Connection("localhost:1", "parts", timeout=0.3) as connection,
        pytest.raises(ServingError, match=r"timeout \(0\.3 s\); perhaps no server is running"),
    ):
        ask(connection)


def test_a_call_may_have_its_own_deadline(service, connection):
    service.gate.clear()
    with pytest.raises(ServingError, match="in time"):
        connection.predict("classify", {"image": [b"an image"]}, timeout=0.3)
    service.gate.set()


def test_metadata_is_sent_with_each_call(service, address):
    with Connection(address, "parts", metadata=[("authorization", "Bearer x")]) as connection:
        connection.wait_until_available(10)
        ask(connection)
    assert [("authorization", "Bearer x") in each for each in service.metadata] == [True, True]


def test_waiting_for_a_version(service, connection):
    service.statuses = [(STATE.START, 0), (STATE.LOADING, 0)]
    connection.wait_until_available(10)
    assert not service.statuses


def test_a_version_that_cannot_be_loaded_is_not_waited_for(service, connection):
    service.statuses = [(STATE.LOADING, 0), (STATE.END, 3)]
    with pytest.raises(ServingError, match="cannot load 'parts': no such op"):
        connection.wait_until_available(10)


def test_a_version_that_never_comes(service, connection):
    service.statuses = [(STATE.LOADING, 0)] * 100
    with pytest.raises(ServingError, match=r"serves no version of 'parts' after 0\.1 s"):
        connection.wait_until_available(0.1)


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    """A self-signed certificate each for the server and a client, and their keys."""
    folder = tmp_path_factory.mktemp("pems")
    for name in ("server", "client"):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost"]
        command = ["openssl", "req", "-x509", *new_key, *files, *names]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("mutual", [False, True])
def test_tls(service, pems, mutual):
    key, certificate = ((pems / f"server.{kind}").read_bytes() for kind in ("key", "crt"))
    roots = (pems / "client.crt").read_bytes() if mutual else None
    credentials = grpc.ssl_server_credentials([(key, certificate)], roots, mutual)
    own = (pems / "client.crt", pems / "client.key") if mutual else (None, None)
    wrong = Tls(pems / ("server.crt" if mutual else "client.crt"))
    with serving(service, credentials) as address:
        with Connection(address, "parts", tls=Tls(pems / "server.crt", *own)) as connection:
            assert ask(connection)
        with (
            Connection(address, "parts", tls=wrong, timeout=20) as connection,
            pytest.raises(ServingError, match="expects the client's" if mutual else "this TLS"),
        ):
            ask(connection)


def test_a_server_without_tls_is_not_asked_with(service, address, pems):
    with (
        Connection(address, "parts", tls=Tls(pems / "server.crt"), timeout=20) as connection,
        pytest.raises(ServingError, match="leave out TLS if the server has none"),
    ):
        ask(connection)


def test_a_server_with_tls_is_not_asked_without(service, pems):
    key, certificate = ((pems / f"server.{kind}").read_bytes() for kind in ("key", "crt"))
    with (
        serving(service, grpc.ssl_server_credentials([(key, certificate)])) as address,
        Connection(address, "parts", timeout=20) as connection,
        pytest.raises(ServingError, match="expects TLS"),
    ):
        ask(connection)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("none.pem", None, None), "none.pem: cannot be read .*; name a PEM file"),
        ((None, "client.crt", None), "a client's certificate needs its key"),
    ],
)
def test_pem_files_that_are_missing(pems, names, message):
    with pytest.raises(ValueError, match=message):
        Connection("x:1", "parts", tls=Tls(*(pems / name if name else None for name in names)))
