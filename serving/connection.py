"""Connects over gRPC to one model of a server with TensorFlow Serving's protocol.

Source: https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeVar

import grpc
import numpy as np

from serving.channel import OPTIONS, Tls, credentials
from serving.endpoint import Endpoint, Metadata, Response, calls, not_up_yet
from serving.serving_error import ServingError

__all__ = ["Connection", "ServingError", "Tls"]

_Connection = TypeVar("_Connection", bound="Connection")


class Connection(Endpoint):
    """Calls the signatures of one model of a server; threads may share it.

    gRPC itself retries calls that reach no server, within the timeout. Arguments and errors are
    those of `serving.endpoint.Endpoint`.
    """

    def __init__(self, server: str, model: str, **options: Any) -> None:
        super().__init__(server, model, **options)
        self._channel = (
            grpc.secure_channel(server, credentials(self._tls), OPTIONS)
            if self._tls
            else grpc.insecure_channel(server, OPTIONS)
        )
        self._predict_call, self._status_call = calls(self._channel)

    def __enter__(self: _Connection) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; pending calls fail."""
        self._channel.close()

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, Any],
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> dict[str, np.ndarray]:
        """Call a signature and return its outputs by name.

        Args:
            signature: Its name.
            inputs: Values that become tensors, by name.
            timeout: Seconds that the answer may take; default: the connection's.
            metadata: Sent in addition to the connection's.

        Raises:
            ServingError: There was no answer.
        """
        return self._ask(signature, inputs, timeout, metadata).outputs

    def _ask(
        self, signature: str, inputs: Mapping[str, Any], timeout: float | None, metadata: Metadata
    ) -> Response:
        limits = self._limits(timeout, metadata)
        try:
            request = self._predict_request(signature, inputs)
            return Response.of(self._predict_call(request, **limits))
        except grpc.RpcError as e:
            raise self._error(e, limits["timeout"]) from e

    def wait_until_available(self, seconds: float) -> None:
        """Wait until a version of the model takes requests.

        Raises:
            ServingError: None does in time, or all failed to load.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                status = self._status_call(self._status_request(), **self._limits(None, ()))
                if self._is_available(status):
                    return
            except grpc.RpcError as e:
                if not not_up_yet(e):
                    raise self._error(e, self._timeout) from e
            if time.monotonic() > end:
                raise self._never_available(seconds)
            time.sleep(0.1)
