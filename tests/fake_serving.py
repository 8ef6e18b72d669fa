"""A service of TensorFlow Serving's protocol in this process, which answers as it is told."""

import contextlib
import threading
from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

STATE = get_model_status_pb2.ModelVersionStatus.State


class Service(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Answers each image by its size in bytes, once `failures` are used up."""

    def __init__(self):
        self.requests, self.failures, self.statuses, self.replies = [], [], [], {}
        self.metadata = []
        self.gate = threading.Event()  # answers wait for it
        self.gate.set()

    def Predict(self, request, context):
        self.requests.append(request)
        self.metadata.append(context.invocation_metadata())
        if self.failures:
            context.abort(*self.failures.pop(0))
        self.gate.wait(10)
        if not context.is_active():
            return predict_pb2.PredictResponse()
        response = predict_pb2.PredictResponse()
        for name, values in self.answer(request).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return response

    def answer(self, request):
        if self.replies:
            return self.replies
        images = [tf.make_ndarray(proto) for proto in request.inputs.values()]
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
        response = get_model_status_pb2.GetModelStatusResponse()
        one = response.model_version_status.add(version=1, state=state)
        one.status.error_code, one.status.error_message = error, "no such op"
        return response


@contextlib.contextmanager
def serving(service, credentials=None):
    """Has the service answer on a free port; gives its address."""
    server = grpc.server(
        futures.ThreadPoolExecutor(20), options=[("grpc.max_receive_message_length", -1)]
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(service, server)
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
