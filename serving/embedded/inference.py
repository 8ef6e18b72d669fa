"""Answers the requests of gRPC and REST with the models."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)

from serving.embedded import example_inference, tensors
from serving.embedded.catalogue import Catalogue, answered_by
from serving.embedded.deadline import Deadline
from serving.embedded.metrics import Metrics
from serving.embedded.servable import DEFAULT_SIGNATURE, Servable, Signature
from serving.embedded.statuses import (
    Status,
    failed_precondition,
    invalid_argument,
    unimplemented,
)

Arrays = dict[str, np.ndarray]


class Inference:
    """The requests that clients can make.

    Args:
        catalogue: The models.
        metrics: Told of each request.
    """

    def __init__(self, catalogue: Catalogue, metrics: Metrics) -> None:
        self._catalogue = catalogue
        self._metrics = metrics

    def predict(
        self, request: predict_pb2.PredictRequest, deadline: Deadline
    ) -> predict_pb2.PredictResponse:
        """Run a signature on tensors.

        Raises:
            Status: The codes are TensorFlow Serving's.
        """
        with self._asked(request.model_spec, "Predict", "GRPC") as (version, servable):
            return _predict(servable, request, version, deadline)

    def predict_arrays(
        self,
        spec: model_pb2.ModelSpec,
        read: Callable[[Signature], Arrays],
        deadline: Deadline,
    ) -> Arrays:
        """Run a signature on arrays, for REST.

        Args:
            spec: Which model and signature.
            read: Makes the signature's inputs of the request.
            deadline: When the answer is of no more use.

        Returns:
            All outputs.

        Raises:
            Status: The codes are TensorFlow Serving's.
        """
        with self._asked(spec, "Predict", "REST") as (_, servable):
            name = spec.signature_name or DEFAULT_SIGNATURE
            signature = servable.signatures.get(name)
            if signature is None:
                raise invalid_argument(
                    f'Serving signature name: "{name}" not found in signature def'
                )
            inputs = read(signature)
            signature.check(inputs)
            return signature.answer(inputs, deadline)

    def classify(
        self,
        request: classification_pb2.ClassificationRequest,
        deadline: Deadline,
        entrypoint: str = "GRPC",
    ) -> classification_pb2.ClassificationResponse:
        """Run a classification signature on Examples.

        Raises:
            Status: The codes are TensorFlow Serving's.
        """
        with self._asked(request.model_spec, "Classify", entrypoint) as (version, servable):
            return example_inference.classify(servable, request, version, deadline)

    def regress(
        self,
        request: regression_pb2.RegressionRequest,
        deadline: Deadline,
        entrypoint: str = "GRPC",
    ) -> regression_pb2.RegressionResponse:
        """Run a regression signature on Examples.

        Raises:
            Status: The codes are TensorFlow Serving's.
        """
        with self._asked(request.model_spec, "Regress", entrypoint) as (version, servable):
            return example_inference.regress(servable, request, version, deadline)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, deadline: Deadline
    ) -> inference_pb2.MultiInferenceResponse:
        """Run several classification and regression signatures of a model on the same Examples.

        Raises:
            Status: The codes are TensorFlow Serving's.
        """
        spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
        with self._asked(spec, "MultiInference", "GRPC") as (version, servable):
            return example_inference.multi_inference(servable, request, version, deadline)

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Return a model's signatures.

        Raises:
            Status: The codes are TensorFlow Serving's.
        """
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid_argument(
                "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for name in request.metadata_field:
            if name != "signature_def":
                raise invalid_argument(f"Metadata field {name} is not supported")
        with self._catalogue.use(request.model_spec) as (version, servable):
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = version
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.definitions)
            response.metadata["signature_def"].Pack(signatures)
            return response

    @contextlib.contextmanager
    def _asked(
        self, spec: model_pb2.ModelSpec, api: str, entrypoint: str
    ) -> Iterator[tuple[int, Servable]]:
        began = time.monotonic()
        status = "UNKNOWN"
        try:
            with self._catalogue.use(spec) as held:
                yield held
            status = "OK"
        except Status as e:
            status = e.code.name
            raise
        finally:
            # Names that a client invents must not fill the memory.
            name = spec.name if self._catalogue.knows(spec.name) else ""
            self._metrics.request(name, api, entrypoint, status, time.monotonic() - began)


def replay(servable: Servable, record: prediction_log_pb2.PredictionLog) -> None:
    """Answer a recorded request, for the warmup of a version that isn't in the catalogue yet.

    Raises:
        Status: The request fails, or is of a kind that can't be replayed.
    """
    kind, deadline = record.WhichOneof("log_type"), Deadline()
    if kind == "predict_log":
        _predict(servable, record.predict_log.request, 0, deadline)
    elif kind == "classify_log":
        example_inference.classify(servable, record.classify_log.request, 0, deadline)
    elif kind == "regress_log":
        example_inference.regress(servable, record.regress_log.request, 0, deadline)
    elif kind == "multi_inference_log":
        example_inference.multi_inference(servable, record.multi_inference_log.request, 0, deadline)
    else:
        raise unimplemented(f"Unsupported log_type for warmup: {kind}")


def _predict(
    servable: Servable, request: predict_pb2.PredictRequest, version: int, deadline: Deadline
) -> predict_pb2.PredictResponse:
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise failed_precondition(f'Serving signature key "{name}" not found.')
    _check_names(request.inputs.keys(), signature.inputs.keys())
    wanted = _filtered(request.output_filter, signature)
    inputs = {alias: tensors.from_proto(alias, proto) for alias, proto in request.inputs.items()}
    signature.check(inputs)
    outputs = signature.answer(inputs, deadline)
    response = predict_pb2.PredictResponse()
    response.model_spec.CopyFrom(answered_by(request.model_spec, version))
    for alias in wanted:
        response.outputs[alias].CopyFrom(tensors.to_proto(outputs[alias]))
    return response


def _check_names(sent: Iterable[str], required: Iterable[str]) -> None:
    given, expected = set(sent), set(required)
    if given == expected:
        return

    def listed(names: set[str]) -> str:
        return "{" + ",".join(sorted(names)) + "}"

    raise invalid_argument(
        f"input size does not match signature: {len(given)}!={len(expected)} "
        f"len({listed(given)}) != len({listed(expected)}). Sent extra: {listed(given - expected)}. "
        f"Missing but required: {listed(expected - given)}."
    )


def _filtered(aliases: Sequence[str], signature: Signature) -> list[str]:
    known = sorted(signature.outputs)
    seen: list[str] = []
    for alias in aliases:
        if alias not in known:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in "
                f"the set {{{','.join(known)}}}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.append(alias)
    return seen or known
