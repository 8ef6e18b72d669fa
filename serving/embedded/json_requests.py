"""Reads predict requests in the JSON of TensorFlow Serving's REST API.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/util/json_tensor.cc
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from serving.embedded.servable import Signature
from serving.embedded.statuses import Status, invalid_argument
from serving.embedded.tensors import dtype_name

_LONGEST_QUOTE = 100
_MOST_DIMENSIONS = 64
_KINDS = {list: "Array", dict: "Object", str: "String", bool: "Bool", type(None): "Null"}
_STRING_OR_NAN = re.compile(r'"(?:[^"\\]|\\.)*"|-NaN')
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(body: bytes) -> dict[str, Any]:
    """Return a request's JSON object.

    As with TensorFlow Serving, the tokens NaN and Infinity are allowed, strings may hold bytes that
    are no UTF-8, and the first of equal keys counts.

    Raises:
        Status: INVALID_ARGUMENT: it's no JSON object, or a string has half a surrogate pair.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    try:
        text, errors = body.decode("utf-8-sig"), "strict"
    except UnicodeDecodeError:
        text, errors = body.decode("utf-8-sig", "surrogateescape"), "surrogateescape"
    try:
        document = _loads(text)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode("utf-8", errors)
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
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_inputs(document: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """Return a signature's inputs, as arrays of the shapes that the nested lists have.

    Args:
        document: With `instances`, a list with an element for each row: a value, or an object of a
            value for each input; or with `inputs`, a value, or an object of them.
        signature: Says the inputs' names and dtypes.

    Raises:
        Status: INVALID_ARGUMENT: the values are of other types, are ragged, or inputs are missing.
            UNIMPLEMENTED: an input's dtype has no JSON.
    """
    if "instances" in document and "inputs" in document:
        raise invalid_argument(
            f"JSON Value: {_quote(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist"
        )
    if "inputs" in document:
        return _read_columns(document["inputs"], signature)
    if "instances" not in document:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid_argument(
            f"JSON Value: {_quote(document)} Excepting 'instances' to be an list/array"
        )
    if not instances:
        raise invalid_argument(f"JSON Value: {_quote(document)} No values in 'instances' array")
    return _read_rows(instances, signature)


def _loads(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_first_of_equal)
    except ValueError:
        if "-NaN" not in text:
            raise
        plain = _STRING_OR_NAN.sub(lambda m: "NaN" if m[0] == "-NaN" else m[0], text)
        return json.loads(plain, object_pairs_hook=_first_of_equal)


def _first_of_equal(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _read_rows(instances: Sequence[Any], signature: Signature) -> dict[str, np.ndarray]:
    named = _is_object(instances[0])
    if not named and len(signature.inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    for number, instance in enumerate(instances):
        if named and not _is_object(instance):
            raise invalid_argument(f"Expecting object but got list at item {number} of input list")
        if not named and _is_object(instance):
            raise invalid_argument(
                f"Expecting value/list but got object at item {number} of input list"
            )
        if named and instance.keys() != signature.inputs.keys():
            unknown = min(instance.keys() - signature.inputs.keys(), default=None)
            if unknown is not None:
                error = invalid_argument(f"JSON object: does not have named input: {unknown}")
                raise _of_row(number, unknown, error)
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
            raise _first_wrong_row(rows, info.dtype, name if named else None) or e from e
    return inputs


def _first_wrong_row(rows: Sequence[Any], dtype: int, key: str | None) -> Status | None:
    """Return why rows make no array: which one is wrong, or is of another shape than the first."""
    first: np.ndarray | None = None
    for number, row in enumerate(rows):
        try:
            array = _array(row, dtype)
        except Status as e:
            return _of_row(number, key, e)
        first = array if first is None else first
        if array.size != first.size:
            sizes = f"Expecting tensor size: {first.size} but got: {array.size}"
            return _of_row(number, key, invalid_argument(sizes))
        if array.shape != first.shape:
            shapes = f"Expecting shape {list(first.shape)} but got: {list(array.shape)}"
            return _of_row(number, key, invalid_argument(shapes))
    return None


def _of_row(number: int, key: str | None, error: Status) -> Status:
    which = f"{number} key: {key}" if key is not None else str(number)
    return invalid_argument(
        f"Failed to process element: {which} of 'instances' list. Error: {error.code.name}: "
        f"{error.message}"
    )


def _read_columns(value: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not _is_object(value):
        if len(signature.inputs) != 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        value = dict.fromkeys(signature.inputs, value)
    missing = min(signature.inputs.keys() - value.keys(), default=None)
    if missing is not None:
        raise invalid_argument(f"Missing named input: {missing} in 'inputs' object.")
    return {name: _array(value[name], info.dtype) for name, info in signature.inputs.items()}


def _array(value: Any, dtype: int) -> np.ndarray:
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
        if len(shape) > _MOST_DIMENSIONS:
            raise invalid_argument("Lists are nested too deeply for a tensor")
        values = [item for each in values for item in each]
    return _flat_array(values, tf.dtypes.as_dtype(dtype)).reshape(shape)


def _flat_array(values: list[Any], dtype: tf.DType) -> np.ndarray:
    if dtype == tf.string:
        array = np.empty(len(values), object)
        array[:] = [_bytes(value) for value in values]
        return array
    if dtype == tf.bool:
        _check_types(values, (bool,), dtype)
        return np.array(values, bool)
    if dtype.is_integer:
        _check_types(values, (int,), dtype)
        if values and not (dtype.min <= min(values) <= max(values) <= dtype.max):
            raise invalid_argument(f"JSON Value: a number is outside the range of {dtype.name}")
        return np.array(values, dtype.as_numpy_dtype)
    if dtype not in (tf.float32, tf.float64):
        raise Status(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Conversion of JSON Value: {_quote(values[:1])} to type: {dtype.name}",
        )
    _check_types(values, (int, float), dtype)
    try:
        exact = np.array(values, np.float64)
    except OverflowError as e:
        raise invalid_argument(f"A number is too large for {dtype.name}") from e
    with np.errstate(over="ignore"):
        return exact.astype(dtype.as_numpy_dtype)


def _check_types(values: Iterable[Any], allowed: tuple[type, ...], dtype: tf.DType) -> None:
    if wrong := set(map(type, values)) - set(allowed):
        raise _type_error(next(value for value in values if type(value) in wrong), dtype)


def _type_error(value: Any, dtype: tf.DType) -> Status:
    return invalid_argument(
        f"JSON Value: {_quote(value)} Type: {_KINDS.get(type(value), 'Number')} is not of "
        f"expected type: {dtype_name(dtype.as_datatype_enum)}"
    )


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if not isinstance(value, dict):
        raise _type_error(value, tf.string)
    if _is_object(value):
        raise invalid_argument(
            f"JSON Value: {_quote(value)} not formatted correctly for base64 data"
        )
    try:
        return base64.b64decode(value["b64"] + "=" * (-len(value["b64"]) % 4), validate=True)
    except (binascii.Error, ValueError) as e:
        raise invalid_argument("Unable to base64 decode") from e


def _is_object(value: Any) -> bool:
    """Return whether a value is an object, and none that stands for bytes."""
    if not isinstance(value, dict):
        return False
    return value.keys() != {"b64"} or not isinstance(value["b64"], str)


def _quote(value: Any) -> str:
    """Return the start of a value, for a message."""
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):
        text = "..."
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
