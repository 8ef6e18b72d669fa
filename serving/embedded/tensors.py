"""Converts TensorProtos from untrusted clients to NumPy, and back."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.embedded.statuses import invalid_argument

# A proto of a few bytes may repeat one value any number of times.
_LARGEST_FILLED_BYTES = 256 * 2**20
_STRING_BYTES = 24  # an element of TensorFlow's string tensors, at least

_FIELDS = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_UINT16: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_STRING: "string_val",
}


def dtype_name(dtype: int) -> str:
    """Return the name of a DataType in TensorFlow's messages, such as `float`."""
    try:
        return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
    except ValueError:
        return f"unknown ({dtype})"


def from_proto(name: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Read a tensor.

    Args:
        name: The tensor's name, for the message.
        proto: As it was received.

    Returns:
        An array of the proto's shape; strings are an object array of bytes. May be read-only.

    Raises:
        Status: INVALID_ARGUMENT: dtype, shape and values don't fit together.
    """
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise invalid_argument(f"tensor parsing error: {name} (its shape isn't fully known)")
    try:
        dtype = tf.dtypes.as_dtype(proto.dtype)
        is_string = dtype == tf.string
        each = _STRING_BYTES if is_string else np.dtype(dtype.as_numpy_dtype).itemsize
        elements = math.prod(shape)
        if proto.tensor_content and not is_string:
            if len(proto.tensor_content) != elements * each:
                raise invalid_argument(
                    f"tensor parsing error: {name} ({len(proto.tensor_content)} bytes for shape "
                    f"{shape} of {dtype.name})"
                )
            return np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype).reshape(shape)
        if elements * each > _LARGEST_FILLED_BYTES and elements > proto.ByteSize():
            raise invalid_argument(
                f"tensor parsing error: {name} (shape {shape} is too large for the values sent)"
            )
        return tf.make_ndarray(proto)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as e:
        raise invalid_argument(f"tensor parsing error: {name} ({e})") from e


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """Write a tensor as TensorFlow Serving does: in the field of its type.

    Args:
        array: Any shape, of a dtype that TensorFlow has; bytes as an object array.
    """
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    number = dtype.as_datatype_enum
    field = _FIELDS.get(number)
    if field is None:  # half, bfloat16, complex and other rare ones
        return tf.make_tensor_proto(array)
    proto = tensor_pb2.TensorProto(dtype=number)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, field).extend(array.ravel().tolist())
    return proto
