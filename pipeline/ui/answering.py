"""Turns functions of values into endpoints: bodies within limits, JSON, errors in a sentence."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from typing import Any, TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from base.errors import UserError
from pipeline.ui.workplace import Workplace
from serving.client import ServingError
from traffic.reviews import AlreadyReviewed

MOST_JSON_BYTES = 2**20

Values: TypeAlias = dict[str, Any]
"""Of a request: those of its path, its address and its JSON body."""


class BadRequest(UserError):
    """A request that the interface's own pages do not make."""


class NotFound(UserError):
    """What is asked for does not exist (any more)."""


class TooLarge(UserError):
    """A body beyond its limit."""


def endpoint(function: Callable[[Workplace, Values], Any]) -> Callable:
    """Return an endpoint that calls `function` in a thread.

    Args:
        function: Gets the workplace and the request's values; returns a value of JSON, or a
            response.
    """

    async def answer(request: Request) -> Response:
        try:
            values = {**request.query_params, **await _body(request), **request.path_params}
            found = await run_in_threadpool(function, request.app.state.place, values)
        except ClientDisconnect:
            return Response(status_code=400)
        except UserError as error:
            return problem(error)
        except sqlite3.Error as error:
            return as_json({"error": f"the traffic store cannot be used now ({error})"}, 503)
        except OSError as error:
            return as_json({"error": f"{error.filename or 'a file'}: {error.strerror}"}, 503)
        return found if isinstance(found, Response) else as_json(found)

    return answer


async def read_body(request: Request, most: int, too_large: str) -> bytes:
    """Return a request's body.

    Args:
        request: The request.
        most: Bytes that it may have.
        too_large: The message if it has more.

    Raises:
        TooLarge: It has more.
        ClientDisconnect: The browser has gone.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most:
        raise TooLarge(too_large)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge(too_large)
    return bytes(body)


async def _body(request: Request) -> Values:
    if request.method in ("GET", "HEAD"):
        return {}
    body = await read_body(request, MOST_JSON_BYTES, "the request is too large")
    try:
        values = json.loads(body or b"{}")
    except ValueError as error:
        raise BadRequest("the request's body is no JSON") from error
    if not isinstance(values, dict):
        raise BadRequest("the request's body is no object")
    return values


def text(values: Values, name: str) -> str:
    """Return a text among a request's values.

    Raises:
        BadRequest: It is missing or no text.
    """
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name}: is missing")
    return value


def problem(error: UserError) -> Response:
    """Return an error as an answer: its sentence, and whether to ask again later."""
    found: Values = {"error": str(error)}
    if isinstance(error, AlreadyReviewed):
        review = error.review
        said = {"label": review.label, "decision": review.decision.value}
        found["review"] = {
            **said,
            "reviewer": review.reviewer,
            "trained_on": review.span is not None,
        }
    return as_json(found, _status(error))


def _status(error: UserError) -> int:
    kinds = {ServingError: 503, NotFound: 404, TooLarge: 413, BadRequest: 400, AlreadyReviewed: 409}
    return next((code for kind, code in kinds.items() if isinstance(error, kind)), 422)


def as_json(value: Any, status: int = 200) -> Response:
    """Return a value as JSON; numbers that are not finite become null."""
    content = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    # A file name that is not UTF-8 has surrogates.
    data = content.encode("utf-8", "backslashreplace")
    return Response(data, status, media_type="application/json")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value
