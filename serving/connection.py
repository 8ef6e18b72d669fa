"""Connects over gRPC to one model of a server with TensorFlow Serving's protocol.

Sources: https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis for the messages,
https://grpc.io/docs/guides/retry for the retries.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from base.errors import UserError

_Connection = TypeVar("_Connection", bound="Connection")
_State = get_model_status_pb2.ModelVersionStatus.State

_SERVICE_CONFIG = {
    # Of a name with several addresses, such as a headless Service, all servers get calls.
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [
                {"service": "tensorflow.serving.PredictionService"},
                {"service": "tensorflow.serving.ModelService"},
            ],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                # No call changes anything. TensorFlow Serving answers RESOURCE_EXHAUSTED while
                # all its threads are busy, UNAVAILABLE while its queue of batches is full.
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ],
}
_TLS_FAILURES = ("Ssl handshake", "SSL_ERROR", "CERTIFICATE_VERIFY", "handshaker", "Peer name")
_CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # gRPC retries only messages that fit this buffer; its default is 256 KB.
    ("grpc.per_rpc_retry_buffer_size", 256 * 2**20),
    # The default limit is 4 MB; the client trusts its server.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class ServingError(UserError):
    """The server gave no answer; the message says why and how to fix it.

    Attributes:
        code: gRPC status code.
    """

    exit_code = 1

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


class Tls(NamedTuple):
    """PEM files for an encrypted connection.

    Attributes:
        ca: Certificates of the authorities that sign the server's certificate; default: gRPC's.
        certificate: The client's certificate, if the server requires one (mTLS).
        key: The client's private key, with `certificate`.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Connection:
    """Calls the signatures of one model of a server; threads may share it.

    gRPC itself retries calls that reach no server, within the timeout.

    Args:
        server: HOST:PORT for gRPC.
        model: The name it is served by.
        version: Version to call; default: the server's choice.
        version_label: Or the label of the version.
        timeout: Seconds that an answer may take.
        tls: Certificates for encryption; default: no encryption.
        metadata: Sent with each call, such as `[("authorization", "Bearer ...")]`.

    Raises:
        UserError: A PEM file cannot be read, or both a version and a label are given.
    """

    def __init__(
        self,
        server: str,
        model: str,
        *,
        version: int | None = None,
        version_label: str | None = None,
        timeout: float = 30.0,
        tls: Tls | None = None,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> None:
        if version is not None and version_label is not None:
            raise UserError("give a version or a label, not both")
        self._server, self._timeout, self._tls = server, timeout, tls
        self._metadata = tuple(metadata)
        self._spec = predict_pb2.PredictRequest().model_spec
        self._spec.name = model
        if version is not None:
            self._spec.version.value = version
        if version_label is not None:
            self._spec.version_label = version_label
        self._channel = (
            grpc.secure_channel(server, _credentials(tls), _CHANNEL_OPTIONS)
            if tls
            else grpc.insecure_channel(server, _CHANNEL_OPTIONS)
        )
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def __enter__(self: _Connection) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; pending calls fail."""
        self._channel.close()

    def predict(
        self, signature: str, inputs: Mapping[str, Any], timeout: float | None = None
    ) -> dict[str, np.ndarray]:
        """Call a signature and return its outputs by name.

        Args:
            signature: Its name.
            inputs: Values that become tensors, by name.
            timeout: Seconds that the answer may take; default: the connection's.

        Raises:
            ServingError: There was no answer.
        """
        return self.answer(self.ask(signature, inputs, timeout))

    def ask(self, signature: str, inputs: Mapping[str, Any], timeout: float | None = None) -> Any:
        """Send the request of `predict` and return at once; `answer` waits."""
        request = predict_pb2.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        seconds = self._timeout if timeout is None else timeout
        return self._predictions.Predict.future(request, timeout=seconds, metadata=self._metadata)

    def answer(self, asked: Any) -> dict[str, np.ndarray]:
        """Return the outputs for a request that `ask` has sent.

        Raises:
            ServingError: There was no answer.
        """
        try:
            response = asked.result()
        except grpc.RpcError as e:
            raise self._error(e) from e
        return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}

    def wait_until_available(self, seconds: float) -> None:
        """Wait until a version of the model takes requests.

        Raises:
            ServingError: None does in time, or all failed to load.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                if self._is_available():
                    return
            except grpc.RpcError as e:
                if e.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND):
                    raise self._error(e) from e
            if time.monotonic() > end:
                raise ServingError(
                    f"{self._server} serves no version of {self._spec.name!r} after {seconds:g} s",
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                )
            time.sleep(0.1)

    def _is_available(self) -> bool:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec)
        versions = self._models.GetModelStatus(
            request, timeout=self._timeout, metadata=self._metadata
        ).model_version_status
        if versions and all(one.state == _State.END and one.status.error_code for one in versions):
            raise ServingError(
                f"{self._server} cannot load {self._spec.name!r}: "
                f"{versions[0].status.error_message}",
                grpc.StatusCode.FAILED_PRECONDITION,
            )
        return any(one.state == _State.AVAILABLE for one in versions)

    def _error(self, error: grpc.RpcError) -> ServingError:
        code, details = error.code(), error.details()
        say = {
            grpc.StatusCode.UNAVAILABLE: self._unavailable(details),
            grpc.StatusCode.RESOURCE_EXHAUSTED: f"{self._server} is overloaded, also after "
            f"retries (RESOURCE_EXHAUSTED: {details}); send fewer requests at once, or start it "
            "with more --grpc_max_threads",
            grpc.StatusCode.DEADLINE_EXCEEDED: f"{self._server} gave no answer in time; "
            f"increase the timeout ({self._timeout:g} s unless a call has its own)",
            grpc.StatusCode.NOT_FOUND: f"{self._server} has no such model or version: {details}",
            grpc.StatusCode.FAILED_PRECONDITION: f"the model {self._spec.name!r} at "
            f"{self._server} was not exported by this project: {details}",
        }
        default = f"{self._server} answered {code.name}: {details}"
        return ServingError(say.get(code, default), code)

    def _unavailable(self, details: str) -> str:
        """Return why there was no answer: TLS, a full queue, or no server."""
        if any(word in details for word in _TLS_FAILURES):
            return (
                f"{self._server} does not accept this TLS connection ({details}); compare --tls-ca "
                "and the client's certificate with the server's"
            )
        if "queue" in details:
            return (
                f"{self._server} is overloaded, also after retries (UNAVAILABLE: {details}); send "
                "fewer requests at once, or raise max_enqueued_batches"
            )
        if "Socket closed" in details:
            expected = "the client's certificate (--tls-cert)" if self._tls else "TLS (--tls)"
            return (
                f"{self._server} closed the connection ({details}); it has stopped, or it expects "
                f"{expected}"
            )
        return (
            f"{self._server} does not answer (UNAVAILABLE: {details}); is a server running there? "
            "Start one: siamese serve"
        )


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    if (tls.certificate is None) != (tls.key is None):
        raise UserError("a client's certificate needs its key, and a key its certificate")
    try:
        ca, key, certificate = (
            file.read_bytes() if file else None for file in (tls.ca, tls.key, tls.certificate)
        )
    except OSError as e:
        raise UserError(f"{e.filename}: cannot be read ({e.strerror}); name a PEM file") from e
    return grpc.ssl_channel_credentials(ca, key, certificate)
