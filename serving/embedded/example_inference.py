"""Runs classification and regression signatures on `tf.train.Example`s."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    model_pb2,
    regression_pb2,
)

from serving.embedded.catalogue import answered_by
from serving.embedded.deadline import Deadline
from serving.embedded.servable import DEFAULT_SIGNATURE, Servable, Signature
from serving.embedded.statuses import failed_precondition, invalid_argument, unimplemented

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
_KINDS = {CLASSIFY: "classification", REGRESS: "regression"}


def classify(
    servable: Servable,
    request: classification_pb2.ClassificationRequest,
    version: int,
    deadline: Deadline,
) -> classification_pb2.ClassificationResponse:
    """Answer by a classification signature.

    Raises:
        Status: The codes are TensorFlow Serving's.
    """
    signature = _signature_of_kind(servable, request.model_spec, CLASSIFY)
    response = classification_pb2.ClassificationResponse()
    response.result.CopyFrom(_classification(signature, _examples(request.input), deadline))
    response.model_spec.CopyFrom(answered_by(request.model_spec, version))
    return response


def regress(
    servable: Servable,
    request: regression_pb2.RegressionRequest,
    version: int,
    deadline: Deadline,
) -> regression_pb2.RegressionResponse:
    """Answer by a regression signature.

    Raises:
        Status: The codes are TensorFlow Serving's.
    """
    signature = _signature_of_kind(servable, request.model_spec, REGRESS)
    response = regression_pb2.RegressionResponse()
    response.result.CopyFrom(_regression(signature, _examples(request.input), deadline))
    response.model_spec.CopyFrom(answered_by(request.model_spec, version))
    return response


def multi_inference(
    servable: Servable,
    request: inference_pb2.MultiInferenceRequest,
    version: int,
    deadline: Deadline,
) -> inference_pb2.MultiInferenceResponse:
    """Answer by several classification and regression signatures of one model.

    Raises:
        Status: The codes are TensorFlow Serving's.
    """
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
        result.model_spec.CopyFrom(answered_by(task.model_spec, version))
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
        # Concatenated bytes of protos are their merge.
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
