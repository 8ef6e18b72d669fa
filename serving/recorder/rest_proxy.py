"""Passes HTTP requests on: TensorFlow Serving's REST API, and whatever else is on its port."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from urllib.parse import unquote

import grpc
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from serving.embedded import json_answers
from serving.recorder.call import Call, RestCall
from serving.recorder.canary import CanaryShare
from serving.recorder.counts import Counts
from serving.recorder.http_upstream import Headers, HttpAnswer, HttpUpstream, UpstreamGone

_PREDICT = re.compile(rb"(/v1/models/([^/:]+))(?:/(versions|labels)/([^/:]+))?:predict")
_LARGEST_BODY_BYTES = 256 * 2**20
# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1; the server here writes a date of its own.
_OF_THE_CONNECTION = (
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
    b"upgrade", b"expect", b"content-length",
)  # fmt: skip
_REFUSED = {400: grpc.StatusCode.INVALID_ARGUMENT, 404: grpc.StatusCode.NOT_FOUND}


class RestProxy:
    """An ASGI application that answers each request by the server's answer.

    Args:
        upstream: The server.
        record: Takes each answered call to predict; must not wait.
        canary: Chooses who answers.
        counts: Count the requests.
    """

    def __init__(
        self,
        upstream: HttpUpstream,
        record: Callable[[Call], None],
        canary: CanaryShare,
        counts: Counts,
    ) -> None:
        self._upstream, self._record, self._canary, self._counts = upstream, record, canary, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = time.time()
        try:
            body = await _body(Request(scope, receive))
        except ClientDisconnect:
            return
        called = None
        if body is None:
            message = f"The body is larger than {_LARGEST_BODY_BYTES} bytes: send fewer images."
            answer = _error(413, message)
        else:
            answer, called = await self._answer(scope, body)
        self._counts.call("rest", str(answer.status))
        headers = [*_passed(answer.headers, b"date", b"server")]
        if scope["method"] == "HEAD":  # the length of what GET would answer
            headers += [each for each in answer.headers if each[0].lower() == b"content-length"]
        elif answer.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(answer.body)))
        start = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})
        if called and body is not None and answer.status == 200:
            self._record(Call(uuid.uuid4().hex, started, body, answer.body, called))

    async def _answer(self, scope: Scope, body: bytes) -> tuple[HttpAnswer, RestCall | None]:
        """Return the server's answer, and what was called if it was a call to predict."""
        path: bytes = scope["raw_path"]
        predict = _PREDICT.fullmatch(path) if scope["method"] == "POST" else None
        try:
            if predict is None:
                return await self._ask(scope, path, body), None
            model = unquote(predict[2].decode("latin-1"))
            choice, value = ((each or b"").decode("latin-1") for each in predict.groups()[2:])
            label = "" if choice else self._canary.label(model)
            if label:
                answer = await self._ask(
                    scope, b"%s/labels/%s:predict" % (predict[1], label.encode()), body
                )
                code, details = _REFUSED.get(answer.status), answer.body.decode("utf-8", "replace")
                if code is None or not self._canary.is_absent(model, label, code, details):
                    return answer, _called(scope, answer, model, "labels", label)
            answer = await self._ask(scope, path, body)
            return answer, _called(scope, answer, model, choice, unquote(value))
        except UpstreamGone as e:
            return _error(503, f"The server behind this proxy does not answer: {e}"), None
        except asyncio.TimeoutError:
            return _error(504, "The server behind this proxy gave no answer in time."), None

    async def _ask(self, scope: Scope, path: bytes, body: bytes) -> HttpAnswer:
        query = scope["query_string"]
        target = path + b"?" + query if query else path
        method = scope["method"].encode("ascii")
        return await self._upstream.ask(method, target, _passed(scope["headers"]), body)


async def _body(request: Request) -> bytes | None:
    """Return a request's body; None if it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY_BYTES:
            return None
    return bytes(body)


def _called(scope: Scope, answer: HttpAnswer, model: str, choice: str, value: str) -> RestCall:
    return RestCall(model, choice, value, _encoding(scope["headers"]), _encoding(answer.headers))


def _encoding(headers: Headers) -> str:
    return next((v.decode("latin-1") for k, v in headers if k.lower() == b"content-encoding"), "")


def _passed(headers: Headers, *without: bytes) -> Headers:
    """Return the headers that are not those of one connection."""
    named = {
        name.strip().lower()
        for key, value in headers
        if key.lower() == b"connection"
        for name in value.split(b",")
    }
    left_out = {*_OF_THE_CONNECTION, *without, *named}
    return [(key, value) for key, value in headers if key.lower() not in left_out]


def _error(status: int, message: str) -> HttpAnswer:
    return HttpAnswer(status, [(b"content-type", b"application/json")], json_answers.error(message))
