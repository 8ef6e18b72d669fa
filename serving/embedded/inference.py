"""Answers what is asked of the models, by gRPC's messages or by arrays."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
)

from serving.embedded import tensors
from serving.embedded.catalogue import Catalogue
from serving.embedded.deadline import Deadline
from serving.embedded.metrics import Metrics
from serving.embedded.servable import DEFAULT_SIGNATURE, Arrays, Servable, Signature
from serving.embedded.statuses import failed_precondition, from_exception, invalid_argument


class Inference:
    """The requests that clients can make. All raise `Status` with TensorFlow Serving's codes.

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
        """Run a signature on tensors."""
        spec = request.model_spec
        # Names that a client invents must not fill the memory.
        name = spec.name if self._catalogue.knows(spec.name) else ""
        with self.counted(name, "Predict", "GRPC"), self._catalogue.use(spec) as (number, servable):
            response = _predict(servable, request, deadline)
            response.model_spec.name = spec.name
            response.model_spec.version.value = number
            response.model_spec.signature_name = spec.signature_name or DEFAULT_SIGNATURE
            return response

    def predict_arrays(
        self, spec: model_pb2.ModelSpec, read: Callable[[Signature], Arrays], deadline: Deadline
    ) -> dict[str, np.ndarray]:
        """Run a signature on arrays, for REST.

        Args:
            spec: Which model and signature.
            read: Makes the signature's inputs of the request.
            deadline: When the answer is no longer needed.

        Returns:
            All outputs.
        """
        with self._catalogue.use(spec) as (_, servable):
            name = spec.signature_name or DEFAULT_SIGNATURE
            signature = servable.signatures.get(name)
            if signature is None:
                raise invalid_argument(
                    f'Serving signature name: "{name}" not found in signature def'
                )
            inputs = read(signature)
            signature.check(inputs)
            return signature.run(inputs, deadline)

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Return a model's signatures."""
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

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Return the states of a model's versions."""
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        response = get_model_status_pb2.GetModelStatusResponse()
        for each in self._catalogue.statuses(request.model_spec):
            told = response.model_version_status.add(version=each.number, state=each.state)
            told.status.error_code = each.error.number if each.error else 0
            told.status.error_message = each.error.message if each.error else ""
        return response

    @contextlib.contextmanager
    def counted(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Count a request in the metrics; see `Metrics.request`."""
        began, status = time.monotonic(), "OK"
        try:
            yield
        except Exception as e:
            status = from_exception(e).code.name
            raise
        finally:
            self._metrics.request(model, api, entrypoint, status, time.monotonic() - began)


def replay(servable: Servable, record: prediction_log_pb2.PredictionLog) -> None:
    """Answer a recorded request, for the warmup of a version that isn't in the catalogue yet.

    Raises:
        Status: The request fails, or is not of Predict.
    """
    kind = record.WhichOneof("log_type")
    if kind != "predict_log":
        raise invalid_argument(f"Unsupported log_type for warmup: {kind}")
    _predict(servable, record.predict_log.request, Deadline())


def _predict(
    servable: Servable, request: predict_pb2.PredictRequest, deadline: Deadline
) -> predict_pb2.PredictResponse:
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise failed_precondition(f'Serving signature key "{name}" not found.')
    _check_names(request.inputs.keys(), signature.inputs.keys())
    _check_filter(request.output_filter, signature)
    inputs = {alias: tensors.from_proto(alias, proto) for alias, proto in request.inputs.items()}
    signature.check(inputs)
    outputs = signature.run(inputs, deadline, request.output_filter)
    tensors.check_size(outputs)
    response = predict_pb2.PredictResponse()
    for alias, array in outputs.items():
        tensors.write(array, response.outputs[alias])
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


def _check_filter(aliases: Sequence[str], signature: Signature) -> None:
    seen = set()
    for alias in aliases:
        if alias not in signature.outputs:
            known = ",".join(sorted(signature.outputs))
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in "
                f"the set {{{known}}}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.add(alias)
