"""TLS with certificates made on the spot; needs no model, so no TensorFlow."""

import subprocess

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving.embedded.config_files import read_tls_settings
from serving.embedded.listeners import listen
from serving.embedded.options import UsageError, parse_options


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    """PEM texts: an authority, and keys with certificates for the server and a client."""
    folder = tmp_path_factory.mktemp("pems")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    for name in ("server", "client"):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.csr"]
        openssl("req", *new_key, *files, "-subj", f"/CN={name}")
        signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.crt")
    return {file.name: file.read_text() for file in folder.iterdir()}


@pytest.fixture
def start(tmp_path):
    """Starts a server with an SSLConfig, and gives its port."""
    servers = []

    def make(**fields):
        file = tmp_path / "ssl.txt"
        lines = [f"{name}: {value}" for name, value in fields.items()]
        file.write_text("\n".join(lines))
        options = parse_options(
            ["--model_base_path=/m", "--host=localhost", "--port=0", f"--ssl_config_file={file}"]
        )
        listeners = listen(options, read_tls_settings(str(file)))
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), listeners.grpc)
        listeners.grpc.start()
        servers.append(listeners.grpc)
        return listeners.line.removeprefix("gRPC on ")

    yield make
    for server in servers:
        server.stop(None)


def text(pem):
    return '"' + pem.replace("\n", "\\n") + '"'


def check(channel):
    with channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status


def refused(channel):
    with pytest.raises(grpc.RpcError) as error:
        check(channel)
    return error.value.code() is grpc.StatusCode.UNAVAILABLE


def test_tls(pems, start):
    address = start(server_key=text(pems["server.key"]), server_cert=text(pems["server.crt"]))
    trusting = grpc.ssl_channel_credentials(pems["ca.crt"].encode())
    assert check(grpc.secure_channel(address, trusting)) == 1
    assert refused(grpc.insecure_channel(address))
    assert refused(grpc.secure_channel(address, grpc.ssl_channel_credentials()))


def test_mutual_tls(pems, start):
    address = start(
        server_key=text(pems["server.key"]),
        server_cert=text(pems["server.crt"]),
        custom_ca=text(pems["ca.crt"]),
        client_verify="true",
    )
    ca, key, certificate = (pems[n].encode() for n in ("ca.crt", "client.key", "client.crt"))
    known = grpc.ssl_channel_credentials(ca, key, certificate)
    assert check(grpc.secure_channel(address, known)) == 1
    assert refused(grpc.secure_channel(address, grpc.ssl_channel_credentials(ca)))


def test_a_key_that_is_none(start):
    broken = text("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n")
    with pytest.raises(UsageError, match="holds no key that fits"):
        start(server_key=broken, server_cert=broken)
