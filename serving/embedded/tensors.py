"""Converts TensorProtos from untrusted clients to NumPy, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from google.protobuf.wrappers_pb2 import BytesValue
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.embedded.statuses import invalid_argument, resource_exhausted

# A proto of a few bytes may repeat its last value any number of times.
_LARGEST_FILLED_BYTES = 4 * 2**20
_STRING_BYTES = 24  # an element of TensorFlow's string tensors, at least
_LARGEST_OUTPUT_BYTES = 2**31 - 2**20  # a message holds 2 GB

# The fields of TensorProto that hold their values as NumPy has them in memory.
_FIELDS = {
    types_pb2.DT_FLOAT: ("float_val", "<f4"),
    types_pb2.DT_DOUBLE: ("double_val", "<f8"),
    types_pb2.DT_BOOL: ("bool_val", "?"),
}
_INTEGERS = {
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val",
}
_CHUNK = 2**14  # integers between which other threads can run


def dtype_name(dtype: int) -> str:
    """Return the name of a DataType in TensorFlow's messages, such as `float`."""
    try:
        return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
    except ValueError:
        return f"unknown ({dtype})"


def from_proto(name: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Return a received tensor as an array of its shape; strings as an object array of bytes.

    Args:
        name: The tensor's name, for the message.
        proto: As it was received.

    Raises:
        Status: INVALID_ARGUMENT: dtype, shape and values don't fit together, or few values are to
            fill a large tensor.
    """
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise invalid_argument(f"tensor parsing error: {name} (its shape isn't fully known)")
    try:
        dtype = tf.dtypes.as_dtype(proto.dtype)
        elements = math.prod(shape)
        if dtype == tf.string:
            each = _STRING_BYTES + max(map(len, proto.string_val), default=0)
        else:
            each = np.dtype(dtype.as_numpy_dtype).itemsize
            if proto.tensor_content:
                if len(proto.tensor_content) != elements * each:
                    raise invalid_argument(
                        f"tensor parsing error: {name} ({len(proto.tensor_content)} bytes for "
                        f"shape {shape} of {dtype.name})"
                    )
                return np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype).reshape(shape)
        if elements * each > _LARGEST_FILLED_BYTES and elements > _values(proto):
            raise invalid_argument(
                f"tensor parsing error: {name} (shape {shape} is too large for the values sent)"
            )
        return tf.make_ndarray(proto)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as e:
        raise invalid_argument(f"tensor parsing error: {name} ({e})") from e


def write(array: np.ndarray, proto: tensor_pb2.TensorProto) -> None:
    """Write a tensor as TensorFlow Serving does: in the field of its dtype.

    Args:
        array: Any shape, of a dtype that TensorFlow has; strings as an object array of bytes.
        proto: Empty; floats and booleans are filled from the array's buffer, not by a Python
            object for each value.
    """
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    number, flat = dtype.as_datatype_enum, array.ravel()
    if not (dtype == tf.string or dtype.is_integer or number in _FIELDS):
        proto.CopyFrom(tf.make_tensor_proto(array))  # half, bfloat16, complex, other rare ones
        return
    proto.dtype = number
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if dtype == tf.string:
        proto.string_val.extend(flat)
    elif dtype.is_integer:
        field = getattr(proto, _INTEGERS.get(number, "int_val"))
        for start in range(0, flat.size, _CHUNK):
            field.extend(flat[start : start + _CHUNK].tolist())
    elif array.size:
        name, layout = _FIELDS[number]
        packed = BytesValue(value=np.ascontiguousarray(flat, layout).tobytes())
        field = tensor_pb2.TensorProto.DESCRIPTOR.fields_by_name[name].number
        # A packed field is written as bytes are, after another number: theirs is 1.
        proto.MergeFromString(bytes([field << 3 | 2]) + packed.SerializeToString()[1:])


def check_size(outputs: Mapping[str, np.ndarray]) -> None:
    """Refuse outputs that no message can hold, before memory is taken for one.

    Raises:
        Status: RESOURCE_EXHAUSTED.
    """
    size = sum(
        sum(map(len, array.ravel())) if array.dtype == object else array.nbytes
        for array in outputs.values()
    )
    if size > _LARGEST_OUTPUT_BYTES:
        raise resource_exhausted(
            f"The outputs take {size} bytes, and a message holds {_LARGEST_OUTPUT_BYTES}: ask for "
            "fewer rows, or for fewer outputs (output_filter)."
        )


def _values(proto: tensor_pb2.TensorProto) -> int:
    """Return how many values a proto has, in whichever field."""
    return max(
        (len(value) for field, value in proto.ListFields() if field.name.endswith("_val")),
        default=0,
    )
