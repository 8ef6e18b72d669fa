"""Status codes of failed requests and loads: gRPC's, and the HTTP codes for them."""

from __future__ import annotations

import grpc

# A gRPC message travels as a header, percent-encoded, and clients refuse more than 8 KB of headers.
_LONGEST_MESSAGE_BYTES = 2000

_HTTP = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class Status(Exception):
    """A status other than OK.

    Args:
        code: gRPC's code.
        message: What is wrong, for the client; shortened to what a header holds.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        encoded = message.encode("utf-8", "replace")
        if len(encoded) > _LONGEST_MESSAGE_BYTES:
            encoded = encoded[:_LONGEST_MESSAGE_BYTES] + b" ..."
        self.code = code
        self.message = encoded.decode("utf-8", "ignore")
        super().__init__(self.message)

    @property
    def number(self) -> int:
        """The code as TensorFlow's error codes number it (they are gRPC's)."""
        return int(self.code.value[0])

    @property
    def http(self) -> int:
        """The HTTP status with which TensorFlow Serving answers."""
        return _HTTP.get(self.code, 500)


def invalid_argument(message: str) -> Status:
    """The client must change its request."""
    return Status(grpc.StatusCode.INVALID_ARGUMENT, message)


def failed_precondition(message: str) -> Status:
    """The request is valid, but the state of the model or the server isn't."""
    return Status(grpc.StatusCode.FAILED_PRECONDITION, message)


def not_found(message: str) -> Status:
    """There is no such model or version."""
    return Status(grpc.StatusCode.NOT_FOUND, message)


def resource_exhausted(message: str) -> Status:
    """The request needs more than the server gives one."""
    return Status(grpc.StatusCode.RESOURCE_EXHAUSTED, message)


def from_exception(error: BaseException) -> Status:
    """Return the status for an error that a model's loading or running raised.

    Args:
        error: A `Status` is returned as it is, TensorFlow's errors keep their code, and anything
            else is UNKNOWN.
    """
    if isinstance(error, Status):
        return error
    if isinstance(error, MemoryError):
        return resource_exhausted("Out of memory.")
    number = getattr(error, "error_code", None)  # TensorFlow's errors have it
    code = _BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN)
    message = getattr(error, "message", None)
    return Status(code, str(message if message is not None else error) or type(error).__name__)
