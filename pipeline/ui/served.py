"""The served model that the interface asks: a server that runs already, or one of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import grpc

from base.errors import UserError
from serving.client import ServingError, SiameseClient
from serving.engine import EngineError

_RETRY_SECONDS = 5.0
_STATUS_SECONDS = 2.0


class Status(NamedTuple):
    """Whether the model answers.

    Attributes:
        state: `ready`, `starting`, `none` (nothing has been pushed), `failed` or `unreachable`.
        message: What it is, in a sentence; empty if it is ready.
    """

    state: str
    message: str = ""


Start: TypeAlias = Callable[[threading.Event], contextlib.AbstractContextManager[str]]
"""Returns a context in which a server runs, which is entered when that has loaded the model; the
event ends the wait for it."""

_STARTING = Status("starting", "The model is being loaded, which takes about a minute.")


class Served:
    """A model of a server.

    Args:
        name: The model's name.
        server: HOST:PORT; None: `start` gives it.
        start: Called in a thread, and again while it raises a `UserError` of another kind than
            EngineError (nothing has been pushed yet).
        options: Of the client, see `serving.endpoint.Endpoint`.
    """

    def __init__(
        self,
        name: str,
        server: str | None = None,
        start: Start | None = None,
        **options: Any,
    ) -> None:
        self.name, self._options = name, options
        self._client: SiameseClient | None = None
        self._probe: SiameseClient | None = None
        self._server = server
        self._status = _STARTING
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        if server is not None:
            self._connect(server)
        elif start is not None:
            self._thread = threading.Thread(target=self._serve, args=[start], daemon=True)
            self._thread.start()

    def client(self) -> SiameseClient:
        """Return the client.

        Raises:
            ServingError: The server is not up yet.
        """
        if self._client is None:
            raise ServingError(self._status.message, grpc.StatusCode.UNAVAILABLE)
        return self._client

    def status(self) -> Status:
        """Return whether the model answers; asks the server, for two seconds at most."""
        if self._probe is None:
            return self._status
        try:
            self._probe.wait_until_available(0)
            return Status("ready")
        except ServingError as error:
            if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                message = f"{self._server} does not answer, or serves no version of {self.name!r}."
                return Status("unreachable", f"{message} It is asked again every few seconds.")
            return Status("unreachable", str(error))

    def close(self) -> None:
        """End the connection, and the server if it is our own."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        self._disconnect()

    def _connect(self, server: str) -> None:
        self._server = server
        self._probe = SiameseClient(
            server, self.name, **{**self._options, "timeout": _STATUS_SECONDS}
        )
        self._client = SiameseClient(server, self.name, **self._options)

    def _disconnect(self) -> None:
        for client in (self._client, self._probe):
            if client is not None:
                client.close()
        self._client = self._probe = None

    def _serve(self, start: Start) -> None:
        while not self._closed.is_set():
            try:
                server_context = start(self._closed)
                self._status = _STARTING
                with server_context as server:
                    self._connect(server)
                    self._closed.wait()
                    return
            except EngineError as error:
                self._status = Status("failed", f"The model cannot be served: {error}")
                return
            except UserError as error:
                self._status = Status("none", str(error))
            self._closed.wait(_RETRY_SECONDS)
