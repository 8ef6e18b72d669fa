"""Says in words why a server gave no answer, and how to fix it."""

from __future__ import annotations

import grpc

from base.errors import UserError
from serving.channel import RETRIES_TAKE

_TLS_FAILURES = ("Ssl handshake", "SSL_ERROR", "CERTIFICATE_VERIFY", "handshaker", "Peer name")

_NO_LABEL = "no version of the model has this label"


class ServingError(UserError):
    """The server gave no answer; the message says why and how to fix it.

    Attributes:
        code: gRPC status code.
    """

    exit_code = 1

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


def serving_error(
    error: grpc.RpcError, server: str, model: str, timeout: float, tls: bool
) -> ServingError:
    """Return the error in words.

    Args:
        error: Of a call, synchronous or asynchronous.
        server: The address that was called.
        model: The name of the model.
        timeout: Seconds that the call could take.
        tls: Whether the connection is encrypted.
    """
    code, details = error.code(), error.details() or ""
    not_ours = (
        f"the model {model!r} at {server} was not exported by this project, or long ago: {details}"
    )
    refused = (
        f"{server} refuses this client ({code.name}: {details}); give a valid token: metadata="
        '[("authorization", "Bearer ...")], or --token-file on the command line'
    )
    say = {
        grpc.StatusCode.UNAVAILABLE: _unavailable(details, server, tls),
        grpc.StatusCode.RESOURCE_EXHAUSTED: f"{server} is overloaded, also after retries "
        f"(RESOURCE_EXHAUSTED: {details}); send fewer requests at once, or start it with more "
        "--grpc_max_threads",
        grpc.StatusCode.DEADLINE_EXCEEDED: _too_late(server, timeout),
        grpc.StatusCode.NOT_FOUND: f"{server} has no such model or version: {details}; the name "
        f"asked for is {model!r} (--name), which must be that of its --model_name",
        grpc.StatusCode.FAILED_PRECONDITION: not_ours,
        grpc.StatusCode.UNAUTHENTICATED: refused,
        grpc.StatusCode.PERMISSION_DENIED: refused,
        grpc.StatusCode.UNIMPLEMENTED: f"{server} is no TensorFlow Serving (UNIMPLEMENTED: "
        f"{details}); give the address of its gRPC port, 8500 by default",
    }
    if code is grpc.StatusCode.INVALID_ARGUMENT and "version label" in details:
        return ServingError(
            f"{server}: {_NO_LABEL} ({details}); give it to a version: siamese promote, or ask for "
            "a version or none in its place",
            code,
        )
    if code is grpc.StatusCode.INVALID_ARGUMENT and "does not match signature" in details:
        return ServingError(not_ours, code)
    return ServingError(say.get(code, f"{server} answered {code.name}: {details}"), code)


def is_refusal(error: ServingError) -> bool:
    """Return whether a server refuses what it was sent and may answer about other images."""
    too_large = "larger than max" in str(error)  # the message; not too many of them
    refused = error.code is grpc.StatusCode.INVALID_ARGUMENT and _NO_LABEL not in str(error)
    return refused or too_large


def _too_late(server: str, timeout: float) -> str:
    """Return what to do; a short timeout ends before gRPC's retries tell of another reason."""
    hidden = (
        "; perhaps no server is running there, or it is overloaded: this is known after retries of "
        f"{RETRIES_TAKE:g} s"
    )
    retrying = hidden if timeout <= RETRIES_TAKE else ""
    return f"{server} gave no answer in time; increase the timeout ({timeout:g} s){retrying}"


def _unavailable(details: str, server: str, tls: bool) -> str:
    """Return why there was no answer: TLS, a full queue, or no server."""
    if any(word in details for word in _TLS_FAILURES):
        return (
            f"{server} does not accept this TLS connection ({details}); compare --tls-ca and the "
            "client's certificate with the server's, or leave out TLS if the server has none"
        )
    if "queue" in details:
        return (
            f"{server} is overloaded, also after retries (UNAVAILABLE: {details}); send fewer "
            "requests at once, or raise max_enqueued_batches"
        )
    if "Socket closed" in details:
        expected = "the client's certificate (--tls-cert)" if tls else "TLS (--tls)"
        return (
            f"{server} closed the connection ({details}); it has stopped, or it expects {expected}"
        )
    return (
        f"{server} does not answer (UNAVAILABLE: {details}); is a server running there? "
        "Start one: siamese serve"
    )
