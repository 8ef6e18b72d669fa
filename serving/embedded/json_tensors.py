"""Converts tensors and Examples to and from the JSON of TensorFlow Serving's REST API."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.example import example_pb2
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from serving.embedded.servable import Signature
from serving.embedded.statuses import Status, invalid_argument, unimplemented

_LONGEST_QUOTE = 100
_KINDS = {list: "Array", dict: "Object", str: "String", bool: "Bool", type(None): "Null"}


def parse(body: bytes) -> dict[str, Any]:
    """Read a request's body; the tokens NaN and Infinity are allowed.

    Raises:
        Status: INVALID_ARGUMENT: it's no JSON object.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as e:
        reason = "it is nested too deeply" if isinstance(e, RecursionError) else str(e)
        raise invalid_argument(f"JSON Parse error: {reason}") from e
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {_quote(document)} Is not object")
    return document


def signature_name(document: Mapping[str, Any]) -> str:
    """Return the signature that a request names; empty for the default.

    Raises:
        Status: INVALID_ARGUMENT: it's no string.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {_quote(document)} not formatted correctly. 'signature_name' key must "
            "be a string value."
        )
    return name


def is_row_format(document: Mapping[str, Any]) -> bool:
    """Return whether a predict request has rows (`instances`) or columns (`inputs`).

    Raises:
        Status: INVALID_ARGUMENT: it has both or neither.
    """
    if "instances" in document and "inputs" in document:
        raise invalid_argument(
            f"JSON Value: {_quote(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist"
        )
    if "instances" not in document and "inputs" not in document:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    return "instances" in document


def read_inputs(document: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """Return a signature's inputs from a predict request.

    Args:
        document: With `instances`, a list with an element for each row: a value, or an object of a
            value for each input; or with `inputs`, a value, or an object of them.
        signature: Says the inputs' names and dtypes.

    Returns:
        An array for each input, of the shape that its nested lists have.

    Raises:
        Status: INVALID_ARGUMENT: the values are of other types, are ragged, or inputs are missing.
    """
    if not is_row_format(document):
        return _read_columns(document["inputs"], signature)
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid_argument(
            f"JSON Value: {_quote(document)} Excepting 'instances' to be an list/array"
        )
    if not instances:
        raise invalid_argument(f"JSON Value: {_quote(document)} No values in 'instances' array")
    return _read_rows(instances, signature)


def predictions(outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the answer to a request with rows.

    Args:
        outputs: Arrays that all have the batch as their first dimension.

    Raises:
        Status: INVALID_ARGUMENT: they don't.
    """
    _check_some(outputs)
    sizes: set[int] = set()
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information")
        sizes.add(array.shape[0])
        if len(sizes) > 1:
            raise invalid_argument(f"Tensor name: {name} has inconsistent batch size")
    columns = {name: _values(name, array) for name, array in outputs.items()}
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def columns(outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the answer to a request with columns.

    Args:
        outputs: Arrays of any shapes.

    Raises:
        Status: INVALID_ARGUMENT: there are none.
    """
    _check_some(outputs)
    values = {name: _values(name, array) for name, array in outputs.items()}
    return {"outputs": values if len(values) > 1 else next(iter(values.values()))}


def read_examples(document: Mapping[str, Any]) -> input_pb2.Input:
    """Return the Examples of a classify or regress request.

    Args:
        document: With `examples`, a list of objects of features, and optionally `context`.

    Raises:
        Status: INVALID_ARGUMENT: there are none, or a feature is no value or list of one kind.
    """
    given = input_pb2.Input()
    if "examples" not in document:
        raise invalid_argument(
            f"JSON Value: {_quote(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list) or not examples:
        raise invalid_argument(
            f"JSON Value: {_quote(document)} Expecting 'examples' value to be an list/array that "
            "isn't empty"
        )
    made = [_example(each) for each in examples]
    if "context" in document:
        given.example_list_with_context.context.CopyFrom(_example(document["context"]))
        given.example_list_with_context.examples.extend(made)
    else:
        given.example_list.examples.extend(made)
    return given


def classifications(result: classification_pb2.ClassificationResult) -> dict[str, Any]:
    """Return the answer to a classify request: a list of [label, score] per Example."""
    scores = np.array(
        [c.score for each in result.classifications for c in each.classes], np.float32
    )
    numbers = iter(_values("scores", scores))
    return {
        "results": [
            [[c.label, next(numbers)] for c in each.classes] for each in result.classifications
        ]
    }


def regressions(result: regression_pb2.RegressionResult) -> dict[str, Any]:
    """Return the answer to a regress request: a number per Example."""
    values = np.array([each.value for each in result.regressions], np.float32)
    return {"results": _values("outputs", values)}


def _read_rows(instances: Sequence[Any], signature: Signature) -> dict[str, np.ndarray]:
    named = isinstance(instances[0], dict) and not _is_b64(instances[0])
    if not named and len(signature.inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    for number, instance in enumerate(instances):
        is_object = isinstance(instance, dict) and not _is_b64(instance)
        if named and not is_object:
            raise invalid_argument(f"Expecting object but got list at item {number} of input list")
        if is_object and not named:
            raise invalid_argument(
                f"Expecting value/list but got object at item {number} of input list"
            )
        if named and instance.keys() != signature.inputs.keys():
            raise invalid_argument(
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{_quote(instance)} keys must be equal to: {','.join(sorted(signature.inputs))}"
            )
    inputs = {}
    for name, info in signature.inputs.items():
        rows = [instance[name] for instance in instances] if named else list(instances)
        try:
            inputs[name] = _array(rows, info.dtype)
        except Status as e:
            raise invalid_argument(
                f"Failed to process key: {name} of 'instances' list. Error: {e.message}"
            ) from e
    return inputs


def _read_columns(value: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not isinstance(value, dict) or _is_b64(value):
        if len(signature.inputs) != 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        value = {name: value for name in signature.inputs}
    missing = signature.inputs.keys() - value.keys()
    if missing:
        raise invalid_argument(f"Missing named input: {min(missing)} in 'inputs' object.")
    return {name: _array(value[name], info.dtype) for name, info in signature.inputs.items()}


def _array(value: Any, dtype_number: int) -> np.ndarray:
    """Return an array from nested lists, whose sizes must agree."""
    shape: list[int] = []
    values = [value]
    while values and isinstance(values[0], list):
        size = len(values[0])
        for each in values:
            if not isinstance(each, list):
                raise invalid_argument(
                    f"JSON Value: {_quote(each)} found at incorrect level: {len(shape) + 1} in the "
                    "JSON DOM. Expected a list"
                )
            if len(each) != size:
                raise invalid_argument(
                    f"Encountered list at unexpected size: {len(each)} at level: {len(shape)} "
                    f"expected size: {size}"
                )
        shape.append(size)
        if len(shape) > 64:
            raise invalid_argument("Lists are nested too deeply for a tensor")
        values = [item for each in values for item in each]
    return _flat_array(values, dtype_number).reshape(shape)


def _flat_array(values: list[Any], dtype_number: int) -> np.ndarray:
    dtype = tf.dtypes.as_dtype(dtype_number)
    if dtype == tf.string:
        array = np.empty(len(values), object)
        array[:] = [_bytes(value) for value in values]
        return array
    if dtype == tf.bool:
        allowed: tuple[type, ...] = (bool,)
    elif dtype.is_integer:
        allowed = (int,)
    elif dtype.is_floating:
        allowed = (int, float)
    else:
        raise unimplemented(f"Conversion of JSON values to type: {dtype.name}")
    kinds = set(map(type, values)) - set(allowed)
    if kinds:
        wrong = next(value for value in values if type(value) in kinds)
        raise invalid_argument(
            f"JSON Value: {_quote(wrong)} Type: {_KINDS.get(type(wrong), 'Number')} is not of "
            f"expected type: {dtype.name}"
        )
    if dtype.is_integer and values and not (dtype.min <= min(values) <= max(values) <= dtype.max):
        raise invalid_argument(f"JSON Value: a number is outside the range of {dtype.name}")
    try:
        if not dtype.is_floating:
            return np.array(values, dtype.as_numpy_dtype)
        exact = np.array(values, np.float64)
    except OverflowError as e:
        raise invalid_argument(f"A number is too large for {dtype.name}") from e
    with np.errstate(over="ignore"):
        array = exact.astype(dtype.as_numpy_dtype)
    if not np.array_equal(np.isfinite(exact), np.isfinite(array.astype(np.float64))):
        raise invalid_argument(
            f"Cannot convert JSON value to {dtype.name} without loss of precision."
        )
    return array


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        # A lone surrogate is valid JSON but not valid text.
        return value.encode("utf-8", "surrogatepass")
    if _is_b64(value):
        try:
            text = value["b64"]
            padding = "=" * (-len(text) % 4)
            return base64.b64decode(text + padding, validate=True)
        except (binascii.Error, ValueError) as e:
            raise invalid_argument("Unable to base64 decode") from e
    if isinstance(value, dict):
        raise invalid_argument(
            f"JSON Value: {_quote(value)} not formatted correctly for base64 data"
        )
    raise invalid_argument(
        f"JSON Value: {_quote(value)} Type: {_KINDS.get(type(value), 'Number')} is not of "
        "expected type: string"
    )


def _values(name: str, array: np.ndarray) -> Any:
    """Return nested lists, or a single value."""
    if array.dtype == object:
        as_bytes = name.endswith("_bytes")
        flat = np.empty(array.size, object)
        flat[:] = [_text(each, as_bytes) for each in array.ravel()]
        return flat.reshape(array.shape).tolist()
    if array.dtype.kind == "c":
        raise invalid_argument(f"Failed to write JSON value for tensor type: {array.dtype}")
    if array.dtype == np.float64 or array.dtype.kind in "iub":
        return array.tolist()
    # The fewest digits that give the same float32: 0.1, not 0.10000000149.
    return array.astype(np.float32).astype("U32").astype(np.float64).tolist()


def _text(value: bytes | str, as_bytes: bool) -> Any:
    raw = value.encode() if isinstance(value, str) else value
    if not as_bytes:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            pass  # not UTF-8, which JSON cannot hold
    return {"b64": base64.b64encode(raw).decode()}


def _example(value: Any) -> example_pb2.Example:
    if not isinstance(value, dict):
        kind = _KINDS.get(type(value), "Number")
        raise invalid_argument(f"Example must be JSON object but got JSON {kind}")
    example = example_pb2.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for each in content if isinstance(content, list) else [content]:
            _add_to_feature(name, feature, each)
    return example


def _add_to_feature(name: str, feature: example_pb2.Feature, value: Any) -> None:
    item: bytes | int | float
    if isinstance(value, str) or _is_b64(value):
        kind, item = "bytes_list", _bytes(value)
    elif isinstance(value, int):  # true and false, too
        kind, item = "int64_list", int(value)
    elif isinstance(value, float):
        kind, item = "float_list", value
    else:
        raise invalid_argument(
            f"Feature: {name} has element with unexpected JSON type: "
            f"{_KINDS.get(type(value), 'Number')}"
        )
    if feature.WhichOneof("kind") not in (None, kind):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{str(feature.WhichOneof('kind')).removesuffix('_list')}"
        )
    try:
        getattr(feature, kind).value.append(item)
    except ValueError as e:
        raise invalid_argument(f"Feature: {name} has a number out of range") from e


def _check_some(outputs: Mapping[str, np.ndarray]) -> None:
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")


def _quote(value: Any) -> str:
    """Return the start of a value, for a message."""
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):
        text = "..."
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
