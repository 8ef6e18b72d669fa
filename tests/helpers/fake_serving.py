"""A service of TensorFlow Serving's protocol in this process, which answers as it is told."""

import contextlib
import threading
from concurrent import futures

import grpc
import numpy as np

from serving.wire import serving_pb2 as wire
from serving.wire.tensors import to_array, to_tensor

STATE = wire.ModelVersionStatus


class Service:
    """Answers each image by its size in bytes, once `failures` are used up; None is no failure.

    After `stop_after` requests, answers wait for the gate.
    """

    def __init__(self):
        self.requests, self.failures, self.statuses, self.replies = [], [], [], {}
        self.metadata = []
        self.gate = threading.Event()  # answers wait for it
        self.gate.set()
        self.stop_after = None

    def Predict(self, request, context):
        self.requests.append(request)
        self.metadata.append(context.invocation_metadata())
        if self.failures and (failure := self.failures.pop(0)):
            context.abort(*failure)
        if self.stop_after is not None and len(self.requests) > self.stop_after:
            self.gate.clear()
        self.gate.wait(10)
        if not context.is_active():
            return wire.PredictResponse()
        response = wire.PredictResponse(model_spec=request.model_spec)
        response.model_spec.version.value = 7
        for name, values in self.answer(request).items():
            response.outputs[name].CopyFrom(to_tensor(values))
        return response

    def answer(self, request):
        if self.replies:
            return self.replies
        images = [to_array(proto) for proto in request.inputs.values()]
        count = len(images[0])
        valid = np.array([len(image) < 5_000_000 for image in images[0]])
        if request.model_spec.signature_name == "serving_default":
            return {
                "similarity": np.full(count, 0.25, "f"),
                "same": images[0] == images[1],
                "valid": valid,
            }
        if request.model_spec.signature_name == "embed":
            return {"embedding": np.ones((count, 3), "f"), "valid": valid}
        return {
            "classes": np.array([[b"a", b"\xffb"]] * count, object),
            "scores": np.array([[0.75, -0.5]] * count, "f"),
            "label": np.array([b"a"] * count, object),
            "known": valid,
            "nearest": np.array([[b"a/1.png", b"\xff.png"]] * count, object),
            "valid": valid,
        }

    def GetModelStatus(self, request, context):
        self.metadata.append(context.invocation_metadata())
        state, error = self.statuses.pop(0) if self.statuses else (STATE.AVAILABLE, 0)
        response = wire.GetModelStatusResponse()
        one = response.model_version_status.add(version=1, state=state)
        one.status.error_code, one.status.error_message = error, "no such op"
        return response


@contextlib.contextmanager
def serving(service, credentials=None):
    """Has the service answer on a free port; gives its address."""
    server = grpc.server(
        futures.ThreadPoolExecutor(20), options=[("grpc.max_receive_message_length", -1)]
    )
    predictions = {
        "Predict": grpc.unary_unary_rpc_method_handler(
            service.Predict, wire.PredictRequest.FromString, wire.PredictResponse.SerializeToString
        )
    }
    models = {
        "GetModelStatus": grpc.unary_unary_rpc_method_handler(
            service.GetModelStatus,
            wire.GetModelStatusRequest.FromString,
            wire.GetModelStatusResponse.SerializeToString,
        )
    }
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(f"tensorflow.serving.{name}", methods)
            for name, methods in (("PredictionService", predictions), ("ModelService", models))
        ]
    )
    port = (
        server.add_secure_port("localhost:0", credentials)
        if credentials
        else server.add_insecure_port("localhost:0")
    )
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None)
