"""Converts values to tensors of the protocol and back, as TensorFlow does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from serving.wire import serving_pb2 as wire

_FIELDS = {
    wire.DT_FLOAT: (np.dtype("<f4"), "float_val"),
    wire.DT_DOUBLE: (np.dtype("<f8"), "double_val"),
    wire.DT_INT32: (np.dtype("<i4"), "int_val"),
    wire.DT_INT64: (np.dtype("<i8"), "int64_val"),
    wire.DT_BOOL: (np.dtype("?"), "bool_val"),
}
"""Each type of numbers: how `tensor_content` has them, and the field with one value an entry."""

_TYPES = {dtype: number for number, (dtype, _) in _FIELDS.items()}


def to_tensor(value: Any) -> wire.TensorProto:
    """Return a tensor.

    Args:
        value: An array; or a number, text or bytes, or a list of these. Texts become UTF-8,
            Python's floats float32, its integers int32.

    Raises:
        TypeError: The values are of a type that the protocol's subset here does not have.
    """
    array = value if isinstance(value, np.ndarray) else _array(value)
    shape = wire.TensorShapeProto(dim=[wire.TensorShapeProto.Dim(size=n) for n in array.shape])
    if array.dtype.kind in "OSU":
        texts = [one.encode() if isinstance(one, str) else one for one in array.ravel()]
        return wire.TensorProto(dtype=wire.DT_STRING, tensor_shape=shape, string_val=texts)
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _TYPES:
        raise TypeError(f"values of type {array.dtype} cannot be sent")
    content = array.astype(dtype).tobytes()
    return wire.TensorProto(dtype=_TYPES[dtype], tensor_shape=shape, tensor_content=content)


def to_array(tensor: wire.TensorProto) -> np.ndarray:
    """Return a tensor's values; strings as bytes in an array of objects.

    Raises:
        TypeError: They are of a type that the protocol's subset here does not have.
    """
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.dtype == wire.DT_STRING:
        return _filled(np.array([*tensor.string_val, b""], object)[:-1], shape)
    if tensor.dtype not in _FIELDS:
        raise TypeError(f"values of TensorFlow's type {tensor.dtype} cannot be read")
    dtype, field = _FIELDS[tensor.dtype]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    return _filled(np.array(getattr(tensor, field), dtype), shape)


def _array(value: Any) -> np.ndarray:
    if isinstance(value, (bytes, str)):
        return np.array(value, object)
    if isinstance(value, (list, tuple)) and any(isinstance(one, (bytes, str)) for one in value):
        # NumPy's own strings would drop zeros at the end, and be as long as the longest.
        array = np.empty(len(value), object)
        array[:] = value
        return array
    array = np.asarray(value)
    return array.astype({"f": "f4", "i": "i4"}.get(array.dtype.kind, array.dtype))


def _filled(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return values in a shape; the last one stands for all that follow, as in TensorFlow."""
    count = math.prod(shape)
    if len(values) < count:
        if not len(values):
            values = np.array([b"" if values.dtype == object else 0], values.dtype)
        values = np.concatenate([values, np.repeat(values[-1:], count - len(values))])
    return values.reshape(shape)
