"""Status codes of failed requests and loads: gRPC's, and the HTTP codes for them."""

from __future__ import annotations

import grpc

# A gRPC message travels as a header, and clients refuse more than 8 KB of headers.
_LONGEST_MESSAGE = 2000

_HTTP = {
    grpc.StatusCode.OK: 200,
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
        message: What is wrong, for the client.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        if len(message) > _LONGEST_MESSAGE:
            message = message[:_LONGEST_MESSAGE] + " ..."
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def number(self) -> int:
        """The code as TensorFlow's error codes number it (they are gRPC's)."""
        return int(self.code.value[0])


def invalid_argument(message: str) -> Status:
    """The client must change its request."""
    return Status(grpc.StatusCode.INVALID_ARGUMENT, message)


def failed_precondition(message: str) -> Status:
    """The request is valid, but the state of the model or the server isn't."""
    return Status(grpc.StatusCode.FAILED_PRECONDITION, message)


def not_found(message: str) -> Status:
    """There is no such model or version."""
    return Status(grpc.StatusCode.NOT_FOUND, message)


def unimplemented(message: str) -> Status:
    """The server does not support this."""
    return Status(grpc.StatusCode.UNIMPLEMENTED, message)


def unavailable(message: str) -> Status:
    """The server is overloaded; a retry may help."""
    return Status(grpc.StatusCode.UNAVAILABLE, message)


def deadline_exceeded() -> Status:
    """The client no longer waits for the answer."""
    return Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline exceeded before the model was run.")


def http_code(code: grpc.StatusCode) -> int:
    """Return the HTTP status with which TensorFlow Serving answers for a gRPC code."""
    return _HTTP.get(code, 500)


def code_name(number: int) -> str:
    """Return the name of a code, such as `NOT_FOUND`."""
    return _BY_NUMBER[number].name


def from_exception(error: BaseException) -> Status:
    """Return the status for an error that a model's loading or running raised.

    Args:
        error: A `Status` is returned as it is, TensorFlow's errors keep their code, and anything
            else is UNKNOWN.
    """
    if isinstance(error, Status):
        return error
    if isinstance(error, MemoryError):
        return Status(grpc.StatusCode.RESOURCE_EXHAUSTED, "Out of memory.")
    number = getattr(error, "error_code", None)  # TensorFlow's errors have it
    code = _BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN)
    message = getattr(error, "message", None)
    return Status(code, str(message if message is not None else error) or type(error).__name__)
