"""HTTP by uvicorn, in a thread beside gRPC. Knows connections and limits, neither paths nor models.

uvicorn installs signal handlers in a process's main thread only.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.embedded import json_answers
from serving.embedded.deadline import Deadline

# HTTP status, content type and body.
Answer = tuple[int, str, bytes]
# Method, path with query, body and deadline to the answer.
Answerer = Callable[[str, str, bytes, Deadline], Answer]

_MOST_CONNECTIONS = 4096
_IDLE_SECONDS = 75
_LARGEST_HEAD_BYTES = 64 * 2**10
_LARGEST_BODY_BYTES = 64 * 2**20  # Python's JSON takes many times its size
_GZIP = 16 + zlib.MAX_WBITS


def error(status: int, message: str) -> Answer:
    """Return an error's answer."""
    return status, "application/json", json_answers.error(message)


class HttpServer:
    """An HTTP server; binds at once, answers after `start`.

    Args:
        host: Address to listen on.
        port: 0 for a free one.
        threads: Requests that are answered at once.
        timeout: Seconds for a body to arrive, and for its answer.
        grace: Seconds for running requests when the server is stopped.

    Attributes:
        port: The bound port.

    Raises:
        OSError: The port can't be bound.
    """

    def __init__(self, host: str, port: int, *, threads: int, timeout: float, grace: float) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self._threads = threads
        self._timeout = timeout
        self._grace = grace
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, answer: Answerer) -> None:
        """Start to answer requests, in threads of its own."""
        self.run(_App(answer, self._threads, self._timeout))

    def run(self, app: ASGIApp) -> None:
        """Start to answer requests by an application, whose event loop has a thread of its own."""
        logging.getLogger("uvicorn").setLevel(logging.ERROR)  # clients' mistakes are warnings
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=max(1, round(self._grace)),
            h11_max_incomplete_event_size=_LARGEST_HEAD_BYTES,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="rest", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Refuse new requests, and wait for the running ones until the grace is over."""
        if self._server is None or self._thread is None:
            self._socket.close()
            return
        self._server.should_exit = True
        self._thread.join(self._grace + 2)


class _App:
    """Reads bodies within the limits, and has each request answered in a thread."""

    def __init__(self, answer: Answerer, threads: int, timeout: float) -> None:
        self._answer = answer
        self._timeout = timeout
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rest")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await asyncio.wait_for(self._body(request), self._timeout)
        except ClientDisconnect:
            return
        except asyncio.TimeoutError:
            body = error(408, f"The body did not arrive within {self._timeout:g} s.")
        if isinstance(body, bytes):
            status, kind, content = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._answered, request, body
            )
            headers = {}
        else:
            (status, kind, content), headers = body, {"Connection": "close"}  # it stays unread
        response = Response(content, status, headers, media_type=None)
        response.headers["Content-Type"] = kind
        await response(scope, receive, send)

    async def _body(self, request: Request) -> bytes | Answer:
        """Return a request's body, or why it is refused."""
        encoding = request.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", "gzip"):
            return error(415, f"Content-Encoding: {encoding}: send gzip, or no encoding.")
        if int(request.headers.get("Content-Length", 0)) > _LARGEST_BODY_BYTES:
            return _too_large()
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_BODY_BYTES:
                return _too_large()
        return bytes(body)

    def _answered(self, request: Request, body: bytes) -> Answer:
        deadline = Deadline(self._timeout)
        if request.headers.get("Content-Encoding", "").lower() == "gzip":
            unpacker = zlib.decompressobj(_GZIP)
            try:
                body = unpacker.decompress(body, _LARGEST_BODY_BYTES)
            except zlib.error:
                return error(400, "The body is no gzip.")
            if unpacker.unconsumed_tail:
                return _too_large()
            if not unpacker.eof:
                return error(400, "The body's gzip is incomplete.")
        target = request.scope["raw_path"].decode("ascii")
        if query := request.scope["query_string"]:
            target += "?" + query.decode("ascii")
        return self._answer(request.method, target, body, deadline)


class _Protocol(H11Protocol):
    """Limits connections, and how long one may go without a whole request's head."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > _MOST_CONNECTIONS:
            transport.close()
        self._limit_wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._limit_wait()

    def _limit_wait(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if not answering and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )


def _too_large() -> Answer:
    return error(
        413, f"The body is larger than {_LARGEST_BODY_BYTES} bytes; gRPC takes larger ones."
    )
