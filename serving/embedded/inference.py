"""Answers requests with the models; gRPC and REST both lead here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    input_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)

from serving.embedded import tensors
from serving.embedded.catalogue import Catalogue
from serving.embedded.deadline import Deadline
from serving.embedded.metrics import Metrics
from serving.embedded.servable import DEFAULT_SIGNATURE, Servable, Signature
from serving.embedded.statuses import (
    Status,
    failed_precondition,
    invalid_argument,
    unimplemented,
)

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
_KINDS = {CLASSIFY: "classification", REGRESS: "regression"}

Arrays = dict[str, np.ndarray]


class Inference:
    """What a client can ask of the models.

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
            return _classify(servable, request, version, deadline)

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
            return _regress(servable, request, version, deadline)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, deadline: Deadline
    ) -> inference_pb2.MultiInferenceResponse:
        """Run several classification and regression signatures of a model on the same Examples.

        Raises:
            Status: The codes are TensorFlow Serving's.
        """
        spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
        with self._asked(spec, "MultiInference", "GRPC") as (version, servable):
            return _multi_inference(servable, request, version, deadline)

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Tell a model's signatures.

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
            # Names that a client makes up must not fill the memory.
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
        _classify(servable, record.classify_log.request, 0, deadline)
    elif kind == "regress_log":
        _regress(servable, record.regress_log.request, 0, deadline)
    elif kind == "multi_inference_log":
        _multi_inference(servable, record.multi_inference_log.request, 0, deadline)
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
    _tell_model(response.model_spec, request.model_spec, version)
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


def _classify(
    servable: Servable,
    request: classification_pb2.ClassificationRequest,
    version: int,
    deadline: Deadline,
) -> classification_pb2.ClassificationResponse:
    signature = _signature_of_kind(servable, request.model_spec, CLASSIFY)
    response = classification_pb2.ClassificationResponse()
    response.result.CopyFrom(_classification(signature, _examples(request.input), deadline))
    _tell_model(response.model_spec, request.model_spec, version)
    return response


def _regress(
    servable: Servable,
    request: regression_pb2.RegressionRequest,
    version: int,
    deadline: Deadline,
) -> regression_pb2.RegressionResponse:
    signature = _signature_of_kind(servable, request.model_spec, REGRESS)
    response = regression_pb2.RegressionResponse()
    response.result.CopyFrom(_regression(signature, _examples(request.input), deadline))
    _tell_model(response.model_spec, request.model_spec, version)
    return response


def _multi_inference(
    servable: Servable,
    request: inference_pb2.MultiInferenceRequest,
    version: int,
    deadline: Deadline,
) -> inference_pb2.MultiInferenceResponse:
    model = request.tasks[0].model_spec.name
    seen = set()
    for task in request.tasks:
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if task.model_spec.name != model:
            raise invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        if name in seen:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        if name not in servable.signatures:
            raise invalid_argument(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _KINDS:
            raise unimplemented(f"Unsupported signature method_name: {task.method_name}")
    examples = _examples(request.input)
    response = inference_pb2.MultiInferenceResponse()
    for task in request.tasks:
        result = response.results.add()
        signature = _signature_of_kind(servable, task.model_spec, task.method_name)
        if task.method_name == CLASSIFY:
            result.classification_result.CopyFrom(_classification(signature, examples, deadline))
        else:
            result.regression_result.CopyFrom(_regression(signature, examples, deadline))
        _tell_model(result.model_spec, task.model_spec, version)
    return response


def _signature_of_kind(servable: Servable, spec: model_pb2.ModelSpec, method: str) -> Signature:
    kind = _KINDS[method]
    name = spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {name}")
    if signature.definition.method_name != method:
        raise invalid_argument(
            f"Expected {kind} signature method_name to be {method}. Was: "
            f"{signature.definition.method_name}"
        )
    if list(signature.inputs) != ["inputs"]:
        raise failed_precondition(f"No {kind} inputs found in SignatureDef of {name}")
    return signature


def _examples(given: input_pb2.Input) -> np.ndarray:
    """Serialized Examples, [n] of bytes; a common context is merged into each."""
    context, examples = b"", given.example_list.examples
    if given.WhichOneof("kind") == "example_list_with_context":
        # Protos are merged by joining their bytes.
        context = given.example_list_with_context.context.SerializeToString()
        examples = given.example_list_with_context.examples
    if not examples:
        raise invalid_argument("Input is empty.")
    return np.array([context + each.SerializeToString() for each in examples], object)


def _classification(
    signature: Signature, examples: np.ndarray, deadline: Deadline
) -> classification_pb2.ClassificationResult:
    if not signature.outputs.keys() & {"classes", "scores"}:
        raise failed_precondition(
            'Expected classification signature outputs to contain at least one of "classes" or '
            f'"scores". Signature was: {signature.name}'
        )
    outputs = _run_on_examples(signature, examples, deadline)
    dtypes = {"classes": types_pb2.DT_STRING, "scores": types_pb2.DT_FLOAT}
    for alias in outputs.keys() & dtypes.keys():
        array = outputs[alias]
        if array.ndim != 2:
            raise invalid_argument(
                f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}"
            )
        _check_rows(alias, array, len(examples))
        if signature.outputs[alias].dtype != dtypes[alias]:
            raise invalid_argument(
                f"Expected {alias} Tensor of {types_pb2.DataType.Name(dtypes[alias])}. Got: "
                f"{types_pb2.DataType.Name(signature.outputs[alias].dtype)}"
            )
    labels, scores = outputs.get("classes"), outputs.get("scores")
    if labels is not None and scores is not None and labels.shape != scores.shape:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. "
            f"{scores.shape[1]}"
        )
    [columns, *_] = [array.shape[1] for array in (labels, scores) if array is not None]
    result = classification_pb2.ClassificationResult()
    for row in range(len(examples)):
        classes = result.classifications.add().classes
        for column in range(columns):
            classes.add(
                label=b"" if labels is None else labels[row, column],
                score=0.0 if scores is None else float(scores[row, column]),
            )
    return result


def _regression(
    signature: Signature, examples: np.ndarray, deadline: Deadline
) -> regression_pb2.RegressionResult:
    if list(signature.outputs) != ["outputs"]:
        raise failed_precondition(
            f'Expected regression signature output "outputs". Signature was: {signature.name}'
        )
    array = _run_on_examples(signature, examples, deadline)["outputs"]
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{list(array.shape)}"
        )
    _check_rows("outputs", array, len(examples))
    if array.dtype != np.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT. Got: {array.dtype}")
    result = regression_pb2.RegressionResult()
    for value in array.ravel().tolist():
        result.regressions.add(value=value)
    return result


def _run_on_examples(
    signature: Signature, examples: np.ndarray, deadline: Deadline
) -> Mapping[str, np.ndarray]:
    inputs = {"inputs": examples}
    signature.check(inputs)
    return signature.answer(inputs, deadline)


def _check_rows(alias: str, array: np.ndarray, rows: int) -> None:
    if array.shape[0] != rows:
        raise invalid_argument(
            f"Expected {alias} output batch size of {rows}. Got: {array.shape[0]}"
        )


def _tell_model(told: model_pb2.ModelSpec, asked: model_pb2.ModelSpec, version: int) -> None:
    told.name = asked.name
    told.signature_name = asked.signature_name or DEFAULT_SIGNATURE
    told.version.value = version
