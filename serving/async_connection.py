"""As `serving.connection`, for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, TypeVar

import grpc
import numpy as np
from grpc import aio

from serving.channel import OPTIONS, credentials
from serving.endpoint import Endpoint, Metadata, Response, calls, not_up_yet

_Connection = TypeVar("_Connection", bound="AsyncConnection")


class AsyncConnection(Endpoint):
    """Calls the signatures of one model of a server from one event loop.

    Make it where the event loop runs. Arguments and errors are those of
    `serving.endpoint.Endpoint`.
    """

    def __init__(self, server: str, model: str, **options: Any) -> None:
        super().__init__(server, model, **options)
        self._channel = (
            aio.secure_channel(server, credentials(self._tls), OPTIONS)
            if self._tls
            else aio.insecure_channel(server, OPTIONS)
        )
        self._predict_call, self._status_call = calls(self._channel)

    async def __aenter__(self: _Connection) -> _Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; pending calls fail."""
        await self._channel.close()

    async def predict(
        self,
        signature: str,
        inputs: Mapping[str, Any],
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> dict[str, np.ndarray]:
        """As `serving.connection.Connection.predict`."""
        return (await self._ask(signature, inputs, timeout, metadata)).outputs

    async def _ask(
        self, signature: str, inputs: Mapping[str, Any], timeout: float | None, metadata: Metadata
    ) -> Response:
        limits = self._limits(timeout, metadata)
        try:
            request = self._predict_request(signature, inputs)
            return Response.of(await self._predict_call(request, **limits))
        except grpc.RpcError as e:
            raise self._error(e, limits["timeout"]) from e

    async def wait_until_available(self, seconds: float) -> None:
        """As `serving.connection.Connection.wait_until_available`."""
        end = time.monotonic() + seconds
        while True:
            try:
                status = await self._status_call(self._status_request(), **self._limits(None, ()))
                if self._is_available(status):
                    return
            except grpc.RpcError as e:
                if not not_up_yet(e):
                    raise self._error(e, self._timeout) from e
            if time.monotonic() > end:
                raise self._never_available(seconds)
            await asyncio.sleep(0.1)
