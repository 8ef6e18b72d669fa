"""HTTP without a model: bodies, limits and connections. The answers repeat what was asked."""

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib

import pytest

from serving.embedded import http_server
from serving.embedded.http_server import HttpServer
from tests.serving.embedded.processes import eventually

MOST_BYTES = 2**20


def repeat(method, target, body, deadline):
    told = {"method": method, "target": target, "body": body.decode("latin-1")}
    return 200, "application/json", json.dumps(told).encode()


@pytest.fixture
def start(monkeypatch):
    """Starts servers with other settings than the usual ones."""
    servers = []

    def make(answer=repeat, **settings):
        usual = {"threads": 2, "timeout": 10.0, "grace": 5}
        server = HttpServer("127.0.0.1", 0, **{**usual, **settings})
        servers.append(server)
        server.start(answer)
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def server():
    server = HttpServer("127.0.0.1", 0, threads=2, timeout=10, grace=5)
    server.start(repeat)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_server, "_LARGEST_BODY_BYTES", MOST_BYTES)
        yield server
    server.stop()


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def answers(connection):
    """Status, headers and body of each answer until the server closes the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):  # not all that was sent has been read
        while part := connection.recv(2**20):
            data += part
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers.get("content-length", len(data)))
        found.append((int(first.split()[1]), headers, data[:length]))
        data = data[length:]
    return found


def ask(server, *requests):
    """Send requests at once on one connection, of which the last asks to close it."""
    with connect(server) as connection:
        connection.sendall(b"".join(requests))
        return answers(connection)


def request(method, target, *headers, body=b""):
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def post(*headers, body=b""):
    return request("POST", "/p", *headers, body=body)


def told(answer):
    status, _, body = answer
    assert status == 200, answer
    return json.loads(body)


class TestBodies:
    def test_plain(self, server):
        (answer,) = ask(server, post("Content-Length: 3", body=b"abc"))
        assert told(answer) == {"method": "POST", "target": "/p", "body": "abc"}

    def test_chunked(self, server):
        body = b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
        (answer,) = ask(server, post("Transfer-Encoding: chunked", body=body))
        assert told(answer)["body"] == "abc"

    def test_gzip(self, server):
        packed = gzip.compress(b"abc" * 1000)
        (answer,) = ask(
            server,
            post(f"Content-Length: {len(packed)}", "Content-Encoding: gzip", body=packed),
        )
        assert told(answer)["body"] == "abc" * 1000

    def test_expect_is_answered_at_once(self, server):
        with connect(server) as connection:
            connection.sendall(post("Content-Length: 3", "Expect: 100-continue"))
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
            connection.sendall(b"abc")
            (answer,) = answers(connection)
        assert told(answer)["body"] == "abc"

    @pytest.mark.parametrize("method", ["GET", "OPTIONS", "DELETE"])
    def test_a_body_is_never_read_as_the_next_request(self, server, method):
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        head = f"{method} /first HTTP/1.1\r\nHost: x\r\nContent-Length: {len(smuggled)}\r\n\r\n"
        found = ask(server, head.encode() + smuggled, request("GET", "/second"))
        assert [told(each)["target"] for each in found] == ["/first", "/second"]

    def test_target_is_as_it_was_sent(self, server):
        (answer,) = ask(server, request("GET", "/v1/%62%2F?a=%3F"))
        assert told(answer)["target"] == "/v1/%62%2F?a=%3F"


class TestRefused:
    @pytest.mark.parametrize(
        ("headers", "body", "status"),
        [
            (["Content-Length: -1"], b"", 400),
            (["Content-Length: 1e9"], b"", 400),
            (["Content-Length: " + "9" * 5000], b"", 400),
            (["Content-Length: 1", "Content-Length: 2"], b"ab", 400),
            ([f"Content-Length: {MOST_BYTES + 1}"], b"", 413),
            ([f"Content-Length: {MOST_BYTES + 1}", "Expect: 100-continue"], b"", 413),
            (["Transfer-Encoding: chunked"], b"100001\r\n" + b"a" * (MOST_BYTES + 1), 413),
            (["Transfer-Encoding: chunked"], b"zz\r\n", 400),
            (["Content-Length: 1", "Content-Encoding: br"], b"a", 415),
            (["Content-Length: 3", "Content-Encoding: gzip"], b"abc", 400),
        ],
    )
    def test_bodies(self, server, headers, body, status):
        for answer in ask(server, post(*headers, body=body)):
            assert answer[0] == status
            assert len(answer[2]) > 0

    @pytest.mark.parametrize(
        ("packed", "status"),
        [
            (gzip.compress(b"a" * 10 * MOST_BYTES), 413),
            (gzip.compress(b"abc")[:-5], 400),
            (zlib.compress(b"abc"), 400),
        ],
        ids=["bomb", "incomplete", "zlib"],
    )
    def test_gzip(self, server, packed, status):
        headers = [f"Content-Length: {len(packed)}", "Content-Encoding: gzip"]
        (answer,) = ask(server, post(*headers, body=packed))
        assert (answer[0], list(json.loads(answer[2]))) == (status, ["error"])

    @pytest.mark.parametrize(
        "lines",
        [
            b"GET / HTTP/99\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
            b"GET /" + b"a" * 700_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 120_000 + b"\r\n",
            b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        ],
        ids=["version", "tls", "target", "headers", "bytes"],
    )
    def test_no_http(self, server, lines):
        for answer in ask(server, lines):
            assert 400 <= answer[0] < 500


class TestConnections:
    def test_half_requests_take_no_thread_and_stop_nobody(self, server):
        before = threading.active_count()
        half = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
        opened = [connect(server) for _ in range(300)]
        try:
            for connection in opened:
                connection.sendall(half)
            assert told(ask(server, request("GET", "/"))[0])
            assert threading.active_count() <= before + 2
        finally:
            for connection in opened:
                connection.close()

    def test_there_are_only_so_many(self, start, monkeypatch):
        monkeypatch.setattr(http_server, "_MOST_CONNECTIONS", 2)
        server = start()
        first, second, third = (connect(server) for _ in range(3))
        with first, second:
            with third:
                assert third.recv(1) == b""
            second.sendall(request("GET", "/"))
            assert answers(second)[0][0] == 200
            assert eventually(lambda: ask(server, request("GET", "/")))

    @pytest.mark.parametrize("sent", [b"", b"GE", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
    def test_idle_ones_are_closed(self, start, monkeypatch, sent):
        monkeypatch.setattr(http_server, "_IDLE_SECONDS", 0.1)
        with connect(start()) as connection:
            connection.sendall(sent)
            answers(connection)  # until the server closes it

    def test_a_body_that_does_not_come(self, start):
        server = start(timeout=0.1)
        (answer,) = ask(server, post("Content-Length: 9", body=b"{"))
        assert answer[0] == 408

    def test_clients_that_leave(self, server):
        for part in (b"", b"GET", b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"):
            for _ in range(20):
                with connect(server) as connection:
                    connection.sendall(part)
        assert told(ask(server, request("GET", "/"))[0])


def test_answers_have_the_timeout_as_their_deadline(start):
    deadlines = []

    def answer(method, target, body, deadline):
        deadlines.append(deadline.remaining)
        return 200, "text/plain", b""

    ask(start(answer, timeout=7), request("GET", "/"))
    assert 0 < deadlines[0] <= 7


def test_stopping_finishes_what_runs(start):
    started, go = threading.Event(), threading.Event()

    def slow(*_):
        started.set()
        assert go.wait(20)
        return 200, "text/plain", b"done"

    server = start(slow)
    with connect(server) as connection:
        connection.sendall(request("GET", "/"))
        assert started.wait(20)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        time.sleep(0.3)
        go.set()
        assert answers(connection)[0][2] == b"done"
        stopping.join(20)
    with pytest.raises(ConnectionRefusedError):
        connect(server)
