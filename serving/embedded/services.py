"""The gRPC services, which hand over to `Inference` and `Catalogue`."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from serving.embedded.catalogue import Catalogue
from serving.embedded.deadline import Deadline
from serving.embedded.inference import Inference
from serving.embedded.statuses import Status, invalid_argument

log = logging.getLogger(__name__)


class Running:
    """Counts the calls that are being answered.

    A server that stops waits for these only: a client that watches the health would otherwise keep
    it until the grace is over.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Count a call while it is answered."""
        with self._changed:
            self._calls += 1
        try:
            yield
        finally:
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    def wait_until_none(self, timeout: float) -> None:
        """Wait until all are answered, for `timeout` seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._calls, timeout)


def _answered(method: Callable) -> Callable:
    """Turn the errors of a method into the call's status."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            with self.running.one():
                return method(self, request, context)
        except Status as e:
            context.abort(e.code, e.message)
        except MemoryError:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Out of memory.")
        except Exception:
            log.exception("%s failed", method.__name__)
            context.abort(grpc.StatusCode.INTERNAL, "Internal error; see the server's log.")

    return answer


def _deadline(context: grpc.ServicerContext) -> Deadline:
    return Deadline(context.time_remaining(), abandoned=lambda: not context.is_active())


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Inference.

    Args:
        inference: Answers the requests.
        running: Counts the calls.
    """

    def __init__(self, inference: Inference, running: Running) -> None:
        self._inference = inference
        self.running = running

    @_answered
    def Predict(self, request, context):
        """Run a signature on tensors."""
        return self._inference.predict(request, _deadline(context))

    @_answered
    def Classify(self, request, context):
        """Run a classification signature on Examples."""
        return self._inference.classify(request, _deadline(context))

    @_answered
    def Regress(self, request, context):
        """Run a regression signature on Examples."""
        return self._inference.regress(request, _deadline(context))

    @_answered
    def MultiInference(self, request, context):
        """Run several signatures on the same Examples."""
        return self._inference.multi_inference(request, _deadline(context))

    @_answered
    def GetModelMetadata(self, request, context):
        """Return a model's signatures."""
        return self._inference.metadata(request)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """States of versions, and the choice of the served models.

    Args:
        catalogue: The models.
        running: Counts the calls.
    """

    def __init__(self, catalogue: Catalogue, running: Running) -> None:
        self._catalogue = catalogue
        self.running = running

    @_answered
    def GetModelStatus(self, request, context):
        """Return the states of a model's versions."""
        return model_status(self._catalogue, request)

    @_answered
    def HandleReloadConfigRequest(self, request, context):
        """Serve other models; answers when the new ones are available."""
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported"
            )
        self._catalogue.reload(request.config, context.time_remaining())
        return model_management_pb2.ReloadConfigResponse()


def model_status(
    catalogue: Catalogue, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """Return the states of a model's versions.

    Raises:
        Status: INVALID_ARGUMENT: no model is named. NOT_FOUND.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    response = get_model_status_pb2.GetModelStatusResponse()
    for each in catalogue.statuses(request.model_spec):
        told = response.model_version_status.add(version=each.number, state=each.state)
        if each.error is not None:
            told.status.error_code = each.error.number
            told.status.error_message = each.error.message
    return response
