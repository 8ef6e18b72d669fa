"""A call that was answered, as it is handed to the thread that records it."""

from __future__ import annotations

from typing import NamedTuple


class RestCall(NamedTuple):
    """What REST says outside of the bodies.

    Attributes:
        model: The model's name.
        choice: `versions`, `labels`, or empty for the server's choice.
        value: The version's number or label.
        request_encoding: The request's Content-Encoding.
        response_encoding: The answer's.
    """

    model: str
    choice: str = ""
    value: str = ""
    request_encoding: str = ""
    response_encoding: str = ""


class Call(NamedTuple):
    """A request to predict and its answer.

    Attributes:
        id: Unique.
        time: When the request came, Unix time, s.
        request: A `PredictRequest`, or JSON.
        response: A `PredictResponse`, or JSON.
        rest: None: the call came by gRPC.
    """

    id: str
    time: float
    request: bytes
    response: bytes
    rest: RestCall | None = None

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.request) + len(self.response)
