"""Sends HTTP requests to the server over connections that stay open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import h11

Headers = Sequence[tuple[bytes, bytes]]

_CHUNK_BYTES = 256 * 2**10
_CONNECT_SECONDS = 5.0
_IDLE_CONNECTIONS = 64


class HttpAnswer(NamedTuple):
    """An answer of the server."""

    status: int
    headers: Headers
    body: bytes


class UpstreamGone(Exception):
    """The server does not answer."""


class _Stale(Exception):
    """The server had closed a connection before a request was sent on it."""


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._state = h11.Connection(h11.CLIENT)

    async def ask(self, request: h11.Request, body: bytes) -> HttpAnswer:
        """Send a request, and return the answer."""
        try:
            for part in (request, h11.Data(data=body), h11.EndOfMessage()):
                self._writer.write(self._state.send(part) or b"")
            await self._writer.drain()
            response = await self._next()
            while isinstance(response, h11.InformationalResponse):
                response = await self._next()
        except (OSError, h11.RemoteProtocolError) as e:
            raise _Stale(e) from e
        content = bytearray()
        while isinstance(event := await self._next(), h11.Data):
            content += event.data
        return HttpAnswer(response.status_code, response.headers.raw_items(), bytes(content))

    def reusable(self) -> bool:
        """Return whether the connection takes another request; if so, it is ready for it."""
        done = self._state.our_state is self._state.their_state is h11.DONE
        if done:
            self._state.start_next_cycle()
        return done

    def close(self) -> None:
        self._writer.close()

    async def _next(self) -> Any:
        while (event := self._state.next_event()) is h11.NEED_DATA:
            self._state.receive_data(await self._reader.read(_CHUNK_BYTES))
        return event


class HttpUpstream:
    """Asks one server, from one event loop.

    Args:
        address: HOST:PORT.
        seconds: That an answer may take.
    """

    def __init__(self, address: str, seconds: float) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._seconds = seconds
        self._idle: list[_Connection] = []

    async def ask(self, method: bytes, target: bytes, headers: Headers, body: bytes) -> HttpAnswer:
        """Return the server's answer.

        Raises:
            UpstreamGone: There is none.
            asyncio.TimeoutError: There is none in time.
        """
        headers = [*headers, (b"content-length", b"%d" % len(body))]
        if all(name.lower() != b"host" for name, _ in headers):  # HTTP/1.0 does not ask for it
            headers.append((b"host", f"{self._host}:{self._port}".encode()))
        request = h11.Request(method=method, target=target, headers=headers)
        return await asyncio.wait_for(self._ask(request, body), self._seconds)

    async def _ask(self, request: h11.Request, body: bytes) -> HttpAnswer:
        while self._idle:
            try:
                return await self._over(self._idle.pop(), request, body)
            except _Stale:
                continue  # closed while it was idle; no call changes anything
        try:
            opening = asyncio.open_connection(self._host.strip("[]"), self._port)
            connection = _Connection(*await asyncio.wait_for(opening, _CONNECT_SECONDS))
            return await self._over(connection, request, body)
        except (OSError, asyncio.TimeoutError, _Stale) as e:
            raise UpstreamGone(str(e) or "no connection in time") from e

    async def _over(self, connection: _Connection, request: h11.Request, body: bytes) -> HttpAnswer:
        keep = False
        try:
            answer = await connection.ask(request, body)
            keep = connection.reusable() and len(self._idle) < _IDLE_CONNECTIONS
        except (OSError, h11.RemoteProtocolError) as e:
            raise UpstreamGone(str(e)) from e  # in the middle of an answer
        finally:
            if keep:
                self._idle.append(connection)
            else:
                connection.close()
        return answer
