"""The gRPC services. They get and give bytes, so that each message is parsed here.

gRPC's generated handlers keep what a call took in memory when its message can't be parsed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from serving.embedded.deadline import Deadline
from serving.embedded.inference import Inference
from serving.embedded.statuses import Status, invalid_argument, not_found

log = logging.getLogger(__name__)

_PREDICTION = "tensorflow.serving.PredictionService"
_MODEL = "tensorflow.serving.ModelService"
# TensorFlow Serving names its services without their package in health checks.
_HEALTH_NAMES = ("", _PREDICTION, _MODEL, "PredictionService", "ModelService")


class _Method(NamedTuple):
    request: type[Message]
    answer: Callable[[Any, Deadline], Message]


def _not_served(request: Message, deadline: Deadline) -> Message:
    raise Status(
        grpc.StatusCode.UNIMPLEMENTED,
        "The embedded server answers Predict, GetModelMetadata and GetModelStatus; TensorFlow "
        "Serving has the other methods.",
    )


_NOT_SERVED = _Method(Empty, _not_served)  # whatever the message holds


def handlers(
    inference: Inference, is_serving: Callable[[], bool] | None
) -> list[grpc.GenericRpcHandler]:
    """Return the services; what they lack is UNIMPLEMENTED.

    Args:
        inference: Answers the requests.
        is_serving: For health checks, which are left out with None. There is no Watch: idle
            streams of it would count as calls.
    """
    services = {
        _PREDICTION: {
            "Predict": _Method(predict_pb2.PredictRequest, inference.predict),
            "GetModelMetadata": _Method(
                get_model_metadata_pb2.GetModelMetadataRequest,
                lambda request, _: inference.metadata(request),
            ),
            "Classify": _NOT_SERVED,
            "Regress": _NOT_SERVED,
            "MultiInference": _NOT_SERVED,
        },
        _MODEL: {
            "GetModelStatus": _Method(
                get_model_status_pb2.GetModelStatusRequest,
                lambda request, _: inference.status(request),
            ),
            "HandleReloadConfigRequest": _NOT_SERVED,
        },
    }
    if is_serving is not None:
        services["grpc.health.v1.Health"] = {
            "Check": _Method(
                health_pb2.HealthCheckRequest, lambda request, _: _health(request, is_serving())
            )
        }
    return [_service(name, methods) for name, methods in services.items()]


def _service(name: str, methods: Mapping[str, _Method]) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        name,
        {
            method: grpc.unary_unary_rpc_method_handler(_handler(f"{name}/{method}", each))
            for method, each in methods.items()
        },
    )


def _handler(name: str, method: _Method) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    """Return a handler that turns errors into the call's status."""

    def handle(message: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            try:
                request = method.request.FromString(message)
            except DecodeError as e:
                raise invalid_argument(f"{name}: the message can't be parsed") from e
            deadline = Deadline(context.time_remaining())
            return method.answer(request, deadline).SerializeToString()
        except Status as e:
            context.abort(e.code, e.message)
        except MemoryError:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Out of memory.")
        except Exception:
            log.exception("%s failed", name)
            context.abort(grpc.StatusCode.INTERNAL, "Internal error; see the server's log.")
        raise AssertionError("abort raises")

    return handle


def _health(
    request: health_pb2.HealthCheckRequest, serving: bool
) -> health_pb2.HealthCheckResponse:
    if request.service not in _HEALTH_NAMES:
        raise not_found(f"unknown service {request.service}")
    codes = health_pb2.HealthCheckResponse
    return codes(status=codes.SERVING if serving else codes.NOT_SERVING)
