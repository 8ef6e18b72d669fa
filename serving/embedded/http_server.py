"""HTTP on the standard library's server. Knows sockets and limits, neither paths nor models.

The standard library needs no package that both stacks would have to agree on, and a thread for
each connection is plenty for what this server is for.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from serving.embedded.deadline import Deadline

log = logging.getLogger(__name__)

JSON = "application/json"
_IDLE_SECONDS = 75.0

# Method, path, body and deadline to HTTP status, content type and body.
Answer = Callable[[str, str, bytes, Deadline], tuple[int, str, bytes]]


class HttpServer:
    """An HTTP server with a thread per connection; binds at once, answers after `start`.

    Args:
        host: Address to listen on.
        port: 0 for a free one.
        timeout: Seconds for a request.
        most_bytes: Largest body.
        cors: Whether pages of other origins may ask.

    Raises:
        OSError: The port can't be had.
    """

    def __init__(self, host: str, port: int, timeout: float, most_bytes: int, cors: bool) -> None:
        self._server = _Server((host, port), _Handler, bind_and_activate=False)
        self._server.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server.socket.close()
        self._server.socket = socket.socket(self._server.address_family, socket.SOCK_STREAM)
        try:
            self._server.server_bind()
            self._server.server_activate()
        except OSError:
            self._server.server_close()
            raise
        self._server.seconds = timeout
        self._server.most_bytes = most_bytes
        self._server.cors = cors
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._server.server_address[1])

    def start(self, answer: Answer) -> None:
        """Start to answer requests, in threads of its own."""
        self._server.answer = answer
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="rest", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Refuse new requests, and wait at most `timeout` seconds for the running ones."""
        self._server.stopping = True
        if self._thread is not None:
            self._server.shutdown()
        self._server.server_close()
        with self._server.idle:
            self._server.idle.wait_for(lambda: not self._server.running, timeout)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # A second server must not bind the port; a server that has just stopped must not block it.
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.answer: Answer | None = None
        self.seconds, self.most_bytes, self.cors = 30.0, 2**20, False
        self.stopping = False
        self.running = 0
        self.idle = threading.Condition()
        super().__init__(*args, **kwargs)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that disconnected is no error of the server.
        log.debug("connection of %s ended", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "siamese-tfx"
    sys_version = ""
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body are sent together
    server: _Server

    def do_GET(self) -> None:
        self._handle("GET", b"")

    def do_OPTIONS(self) -> None:
        self._send(200, JSON, b"")

    def do_POST(self) -> None:
        refused = self._refuse()
        if refused is not None:
            self.close_connection = True  # the body stays unread
            self._send(refused[0], JSON, error_body(refused[1]))
            return
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        self._handle("POST", body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer an HTTP error that the library found, in JSON too."""
        self.close_connection = True
        self._send(code, JSON, error_body(message or self.responses[code][0]))

    def _refuse(self) -> tuple[int, str] | None:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding"):
            return 411, "Send the body with a Content-Length, not in chunks."
        if not (length.isascii() and length.isdigit()):
            return 411, "Content-Length is missing."
        if int(length) > self.server.most_bytes:
            return 413, f"The body is larger than {self.server.most_bytes} bytes."
        if self.headers.get("Content-Encoding", "identity") != "identity":
            return 415, "Send the body as plain JSON, without Content-Encoding."
        return None

    def _handle(self, method: str, body: bytes) -> None:
        server = self.server
        assert server.answer is not None
        with server.idle:
            server.running += 1
        try:
            self._send(*server.answer(method, self.path, body, Deadline(server.seconds)))
        finally:
            with server.idle:
                server.running -= 1
                server.idle.notify_all()

    def _send(self, status: int, kind: str, body: bytes) -> None:
        if self.server.stopping:
            self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        if self.server.cors:
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
            self.send_header("Access-Control-Allow-Headers", "Content-Type")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def error_body(message: str) -> bytes:
    """Return an error in TensorFlow Serving's form."""
    return json_body({"error": message})


def json_body(value: Any) -> bytes:
    """Return JSON, in which NaN and Infinity are tokens."""
    return json.dumps(value).encode()
