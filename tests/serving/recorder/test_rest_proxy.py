"""REST through a recorder is as without it."""

import base64
import contextlib
import gzip
import http.client
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.serving.recorder.recorders import answers, images, recording, until
from traffic.settings import Keeping

ROW = {
    "classes": ["bent", "cut"], "scores": [0.75, 0.25], "label": "bent", "known": False,
    "valid": True, "reason": "", "probabilities": [0.875, 0.125], "nearest": ["bent/1.png"],
}  # fmt: skip
ASKED = json.dumps(
    {
        "signature_name": "classify",
        "instances": [{"image": {"b64": base64.b64encode(b"one").decode()}}],
    }
).encode()
ANSWER = json.dumps({"predictions": [ROW]}).encode()
PREDICT = "/v1/models/parts:predict"


class Upstream:
    """An HTTP server that answers as it is told; remembers what came."""

    def __init__(self):
        self.came = []
        self.replies = []
        self.closes = False

    def reply(self, method, target, headers, body):
        self.came.append((method, target, headers, body))
        if target.endswith("/metadata"):
            return 200, {}, json.dumps({"model_spec": {"version": "9"}}).encode()
        if self.replies:
            return self.replies.pop(0)
        return (
            200,
            {"Content-Type": "application/json"},
            json.dumps({"predictions": [ROW]}).encode(),
        )


@contextlib.contextmanager
def upstream(answering, port=0):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            status, headers, content = answering.reply(
                self.command, self.path, dict(self.headers), body
            )
            self.send_response(status)
            for header in {"Content-Length": len(content), **headers}.items():
                self.send_header(header[0], str(header[1]))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            self.close_connection = answering.closes

        do_GET = do_HEAD = do_PUT = do_POST  # noqa: N815 -- BaseHTTPRequestHandler's names

        def log_message(self, *_):
            pass

    ThreadingHTTPServer.allow_reuse_address = True
    server = ThreadingHTTPServer(("localhost", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def asked(answering, store, **options):
    """Asks a recorder; gives `ask(method, target, body, headers)`."""
    with (
        upstream(answering) as port,
        recording("localhost:1", store, f"localhost:{port}", **options) as where,
    ):
        yield lambda *request: ask(where.rest, *request)


def ask(port, method, target, body=None, headers=()):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        client.request(method, target, body, dict(headers))
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read()


def test_a_request_need_not_name_the_host(tmp_path):
    with (
        upstream(Upstream()) as port,
        recording("localhost:1", tmp_path, f"localhost:{port}") as where,
        socket.create_connection(("127.0.0.1", where.rest), timeout=20) as client,
    ):
        client.sendall(b"GET /v1/models/m HTTP/1.0\r\n\r\n")
        assert b" 200 " in client.recv(100)


def test_requests_and_answers_are_passed_on(tmp_path):
    server = Upstream()
    server.replies = [(418, {"X-Kind": "tea", "Content-Type": "text/x"}, b"\x00\xff")]
    with asked(server, tmp_path) as ask:
        status, headers, body = ask(
            "PUT", "/a%62/b%2Fc?d=e%20f", b"\xffbody", {"X-Trace": "1", "Host": "h:1"}
        )
    assert (status, headers["X-Kind"], headers["Content-Type"], body) == (
        *(418, "tea", "text/x"),
        b"\x00\xff",
    )
    ((method, target, came, content),) = server.came
    assert (method, target, content) == ("PUT", "/a%62/b%2Fc?d=e%20f", b"\xffbody")
    assert (came["x-trace"], came["host"]) == ("1", "h:1")


def test_what_a_server_answers_to_head(tmp_path):
    with asked(Upstream(), tmp_path) as ask:
        status, headers, body = ask("HEAD", "/v1/models/parts")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(ANSWER)


def test_classification_is_recorded_with_its_version(tmp_path):
    with asked(Upstream(), tmp_path, rules=Keeping(random=0.0)) as ask:
        status, _, body = ask("POST", PREDICT, ASKED)
    assert (status, json.loads(body)) == (200, {"predictions": [ROW]})
    (answer,) = answers(tmp_path)
    assert (answer.model, answer.version, answer.label, answer.known) == ("parts", 9, "bent", False)
    assert [each.size for each in images(tmp_path)] == [3]


def test_a_version_in_the_path(tmp_path):
    with asked(Upstream(), tmp_path) as ask:
        ask("POST", "/v1/models/parts/versions/4:predict", ASKED)
    assert [each.version for each in answers(tmp_path)] == [4]


def test_packed_bodies(tmp_path):
    server = Upstream()
    packed = gzip.compress(json.dumps({"predictions": [ROW]}).encode())
    server.replies = [(200, {"Content-Encoding": "gzip"}, packed)]
    with asked(server, tmp_path) as ask:
        _, headers, body = ask("POST", PREDICT, gzip.compress(ASKED), {"Content-Encoding": "gzip"})
    assert (headers["Content-Encoding"], body) == ("gzip", packed)
    assert len(answers(tmp_path)) == 1


def test_errors_are_passed_on_and_not_recorded(tmp_path):
    server = Upstream()
    server.replies = [(400, {"Content-Type": "application/json"}, b'{ "error": "no" }')]
    with asked(server, tmp_path) as ask:
        status, _, body = ask("POST", PREDICT, b"{}")
    assert (status, body) == (400, b'{ "error": "no" }')
    assert answers(tmp_path) == []


def test_connections_that_the_server_closes_lose_nothing(tmp_path):
    server = Upstream()
    server.closes = True
    with asked(server, tmp_path) as ask:
        assert [ask("POST", PREDICT, ASKED)[0] for _ in range(5)] == [200] * 5


def test_a_server_that_is_gone_is_said_and_found_again(tmp_path):
    server = Upstream()
    server.closes = True  # it would go on with open connections
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(upstream(server))
        with recording("localhost:1", tmp_path, f"localhost:{port}") as where:
            assert ask(where.rest, "GET", "/v1/models/parts")[0] == 200
            stack.close()
            status, _, body = ask(where.rest, "GET", "/v1/models/parts")
            assert status == 503
            assert "does not answer" in json.loads(body)["error"]
            with upstream(Upstream(), port):
                assert until(lambda: ask(where.rest, "GET", "/v1/models/parts")[0] == 200)


def test_a_share_for_the_canary(tmp_path):
    server = Upstream()
    with asked(server, tmp_path, canary_share=1.0) as ask:
        ask("POST", PREDICT, ASKED)
        ask("POST", "/v1/models/parts/versions/4:predict", ASKED)
        ask("GET", "/v1/models/parts")
    paths = [target for _, target, *_ in server.came if not target.endswith("/metadata")]
    assert paths == [
        "/v1/models/parts/labels/canary:predict",
        "/v1/models/parts/versions/4:predict",
        "/v1/models/parts",
    ]
    assert [each.version for each in answers(tmp_path)] == [9, 4]


def test_a_label_that_no_version_has_costs_no_call(tmp_path):
    server = Upstream()
    refused = b'{"error": "Unrecognized servable version label: canary"}'
    server.replies = [(400, {}, refused)]
    with asked(server, tmp_path, canary_share=1.0) as ask:
        assert [ask("POST", PREDICT, ASKED)[0] for _ in range(2)] == [200, 200]
    paths = [target for _, target, *_ in server.came if not target.endswith("/metadata")]
    assert paths == ["/v1/models/parts/labels/canary:predict", PREDICT, PREDICT]


@pytest.mark.parametrize("path", ["/health", "/metrics", "/else"])
def test_health_and_metrics(tmp_path, path):
    with recording("localhost:1", tmp_path) as where:
        status, _, body = ask(where.metrics, "GET", path)
    if path == "/health":
        assert (status, json.loads(body)) == (200, {"recording": True, "trouble": ""})
    elif path == "/metrics":
        assert status == 200
        assert b"siamese_recorder_backlog_calls 0.0" in body
    else:
        assert status == 404
