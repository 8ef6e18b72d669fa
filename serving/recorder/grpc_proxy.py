"""Passes gRPC calls on, byte by byte: methods that are known here and any others.

Source of what is passed on: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, NoReturn

import grpc
from grpc import aio

from serving.recorder.call import Call
from serving.recorder.canary import CanaryShare
from serving.recorder.counts import Counts

PREDICT = "/tensorflow.serving.PredictionService/Predict"
_UNARY = (
    *(
        f"/tensorflow.serving.PredictionService/{name}"
        for name in ("Classify", "Regress", "MultiInference", "GetModelMetadata")
    ),
    "/tensorflow.serving.ModelService/GetModelStatus",
    "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
)
# gRPC writes these itself.
_OF_THE_CONNECTION = ("user-agent", "content-type", "te", "host")
_A_YEAR = 365 * 24 * 3600.0

CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # After a restart of the server the next calls reach it.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
    # Of a name with several addresses, such as a headless Service, all servers get calls.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
]


class GrpcProxy(grpc.GenericRpcHandler):
    """Answers each call by the server's answer.

    Args:
        channel: To the server.
        record: Takes each answered `Predict`; must not wait.
        canary: Chooses who answers.
        counts: Count the calls.
    """

    def __init__(
        self,
        channel: aio.Channel,
        record: Callable[[Call], None],
        canary: CanaryShare,
        counts: Counts,
    ) -> None:
        self._channel, self._record, self._canary, self._counts = channel, record, canary, counts
        self._handlers = {
            method: grpc.unary_unary_rpc_method_handler(
                partial(answer, channel.unary_unary(method))
            )
            for methods, answer in (((PREDICT,), self._predict), (_UNARY, self._pass))
            for method in methods
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return the handler of a method; of an unknown one, that of streams, which fits all."""
        method: str = details.method
        return self._handlers.get(method) or grpc.stream_stream_rpc_method_handler(
            partial(self._stream, self._channel.stream_stream(method))
        )

    async def _pass(self, method: Any, request: bytes, context: aio.ServicerContext) -> bytes:
        return await self._answer(method(request, **_limits(context)), context)

    async def _predict(self, method: Any, request: bytes, context: aio.ServicerContext) -> bytes:
        started = time.time()
        labelled, model, label = self._canary.labelled(request)
        call = method(labelled, **_limits(context))
        if label and self._canary.is_absent(model, label, await call.code(), await call.details()):
            call = method(request, **_limits(context))
        response = await self._answer(call, context)
        answered = Call(uuid.uuid4().hex, started, request, response)
        # After the answer has been sent.
        context.add_done_callback(lambda _: self._record(answered))
        return response

    async def _answer(self, call: Any, context: aio.ServicerContext) -> bytes:
        try:
            response: bytes = await call
        except aio.AioRpcError as e:
            await self._abort(e, context)
        if initial := _metadata(await call.initial_metadata()):
            await context.send_initial_metadata(initial)
        if trailing := _metadata(await call.trailing_metadata()):
            context.set_trailing_metadata(trailing)
        self._counts.call("grpc", "OK")
        return response

    async def _stream(
        self, method: Any, requests: AsyncIterator[bytes], context: aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        call = method(requests, **_limits(context))
        try:
            if initial := _metadata(await call.initial_metadata()):
                await context.send_initial_metadata(initial)
            async for response in call:
                yield response
            code = await call.code()
        except aio.AioRpcError as e:
            await self._abort(e, context, initial_sent=True)
        if code is not grpc.StatusCode.OK:
            context.set_code(code)
            context.set_details(await call.details() or "")
        context.set_trailing_metadata(_metadata(await call.trailing_metadata()))
        self._counts.call("grpc", code.name)

    async def _abort(
        self, error: aio.AioRpcError, context: aio.ServicerContext, initial_sent: bool = False
    ) -> NoReturn:
        self._counts.call("grpc", error.code().name)
        if not initial_sent and (initial := _metadata(error.initial_metadata())):
            await context.send_initial_metadata(initial)
        trailing = _metadata(error.trailing_metadata())
        await context.abort(error.code(), error.details() or "", trailing)
        raise error  # abort has raised


def _limits(context: aio.ServicerContext) -> dict[str, Any]:
    """Return the deadline and the metadata of a call, for the one to the server."""
    remaining = context.time_remaining()
    return {
        "timeout": None if remaining is None or remaining > _A_YEAR else remaining,
        "metadata": _metadata(context.invocation_metadata()),
    }


def _metadata(metadata: Any) -> tuple[tuple[str, str | bytes], ...]:
    return tuple(
        (key, value)
        for key, value in metadata or ()
        if not key.startswith((":", "grpc-")) or key == "grpc-status-details-bin"
        if key not in _OF_THE_CONNECTION
    )
