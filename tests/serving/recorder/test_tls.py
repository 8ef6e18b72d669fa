"""TLS before and behind a recorder, with certificates of both sides."""

import asyncio
import subprocess

import grpc
import pytest
from fake_serving import Service, serving

from serving.channel import Tls
from serving.connection import Connection
from serving.embedded.options import UsageError
from serving.recorder.follow_ups import Upstream
from serving.recorder.options import Options
from serving.recorder.server import serve
from serving.serving_error import ServingError
from tests.serving.recorder.recorders import answers, recording


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    """A self-signed certificate and its key, for all sides; and an SSLConfig that asks for it."""
    folder = tmp_path_factory.mktemp("pems")
    key, certificate = folder / "key", folder / "crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-subj", "/CN=localhost"),
            *(
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-addext",
                "subjectAltName=DNS:localhost",
            ),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    pem = {"server_key": key, "server_cert": certificate, "custom_ca": certificate}
    lines = [f'{field}: "{file.read_text()}"'.replace("\n", "\\n") for field, file in pem.items()]
    (folder / "ssl.config").write_text("\n".join([*lines, "client_verify: true"]))
    return folder


def test_both_sides_show_certificates(tmp_path, pems):
    tls = Tls(pems / "crt", pems / "crt", pems / "key")
    key, certificate = (pems / "key").read_bytes(), (pems / "crt").read_bytes()
    credentials = grpc.ssl_server_credentials([(key, certificate)], certificate, True)
    config = str(pems / "ssl.config")
    with (
        serving(Service(), credentials) as address,
        recording(address, tmp_path, tls=tls, ssl_config_file=config, host="localhost") as where,
    ):
        with Connection(f"localhost:{where.grpc}", "parts", tls=tls) as connection:
            connection.predict("classify", {"image": [b"one"]})
        unknown = Tls(pems / "crt")
        with (
            Connection(f"localhost:{where.grpc}", "parts", tls=unknown, timeout=3) as connection,
            pytest.raises(ServingError),
        ):
            connection.predict("classify", {"image": [b"one"]})
    assert len(answers(tmp_path)) == 1


def test_a_port_in_use_is_named(tmp_path):
    with recording("localhost:1", tmp_path) as where:
        options = Options(Upstream("localhost:1"), tmp_path, port=where.grpc, metrics_port=None)
        with pytest.raises(UsageError, match="--port"):
            asyncio.run(serve(options, lambda _: None, asyncio.Event()))
