"""What a synchronous and an asynchronous connection share: requests, answers and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypedDict

import grpc
import numpy as np

from base.errors import UserError
from serving.channel import Tls
from serving.serving_error import ServingError, serving_error
from serving.wire import serving_pb2 as wire
from serving.wire.tensors import to_array, to_tensor

Metadata: TypeAlias = Sequence[tuple[str, str]]
"""Sent with a call, such as `[("authorization", "Bearer ...")]`."""

_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
_State = wire.ModelVersionStatus.State


class Limits(TypedDict):
    """How a call is made; arguments of gRPC's own calls."""

    timeout: float
    metadata: tuple[tuple[str, str], ...]


class Response(NamedTuple):
    """The answer to a call of a signature.

    Attributes:
        outputs: By name.
        version: Of the model that answered; None if the server does not say.
    """

    outputs: dict[str, np.ndarray]
    version: int | None

    @classmethod
    def of(cls, message: wire.PredictResponse) -> Response:
        """Return the answer in a message."""
        outputs = {name: to_array(tensor) for name, tensor in message.outputs.items()}
        return cls(outputs, message.model_spec.version.value or None)


class Endpoint:
    """One model of a server, and how it is called.

    Args:
        server: HOST:PORT for gRPC.
        model: The name it is served by.
        version: Version to call; default: the server's choice.
        version_label: Or the label of the version.
        timeout: Seconds that an answer may take.
        tls: Certificates for encryption; default: no encryption.
        metadata: Sent with each call.

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
        metadata: Metadata = (),
    ) -> None:
        if version is not None and version_label is not None:
            raise UserError("give a version or a label, not both")
        self._server, self._timeout, self._tls = server, timeout, tls
        self._metadata = tuple(metadata)
        self._spec = wire.ModelSpec(name=model)
        if version is not None:
            self._spec.version.value = version
        if version_label is not None:
            self._spec.version_label = version_label

    def _limits(self, timeout: float | None, metadata: Metadata) -> Limits:
        """Return the limits of a call; None: the connection's timeout."""
        return {
            "timeout": self._timeout if timeout is None else timeout,
            # gRPC takes no capital letters, which headers may have elsewhere.
            "metadata": tuple((key.lower(), v) for key, v in (*self._metadata, *metadata)),
        }

    def _predict_request(self, signature: str, inputs: Mapping[str, Any]) -> wire.PredictRequest:
        request = wire.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(to_tensor(value))
        return request

    def _error(self, error: grpc.RpcError, timeout: float) -> ServingError:
        return serving_error(
            error, self._server, self._spec.name, timeout, tls=self._tls is not None
        )

    def _status_request(self) -> wire.GetModelStatusRequest:
        return wire.GetModelStatusRequest(model_spec=self._spec)

    def _is_available(self, status: wire.GetModelStatusResponse) -> bool:
        """Return whether a version takes requests; raise if all failed to load."""
        versions = status.model_version_status
        if versions and all(one.state == _State.END and one.status.error_code for one in versions):
            raise ServingError(
                f"{self._server} cannot load {self._spec.name!r}: "
                f"{versions[0].status.error_message}",
                grpc.StatusCode.FAILED_PRECONDITION,
            )
        return any(one.state == _State.AVAILABLE for one in versions)

    def _never_available(self, seconds: float) -> ServingError:
        return ServingError(
            f"{self._server} serves no version of {self._spec.name!r} after {seconds:g} s",
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )


def calls(channel: Any) -> tuple[Any, Any]:
    """Return the methods Predict and GetModelStatus of a channel, synchronous or asynchronous."""
    return (
        channel.unary_unary(
            _PREDICT,
            request_serializer=wire.PredictRequest.SerializeToString,
            response_deserializer=wire.PredictResponse.FromString,
        ),
        channel.unary_unary(
            _STATUS,
            request_serializer=wire.GetModelStatusRequest.SerializeToString,
            response_deserializer=wire.GetModelStatusResponse.FromString,
        ),
    )


def not_up_yet(error: grpc.RpcError) -> bool:
    """Return whether a server may still be starting."""
    return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND)
