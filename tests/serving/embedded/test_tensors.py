import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.embedded import tensors
from serving.embedded.statuses import Status

INTEGERS = [0, 1, 127, 128, 2**14, 2**31 - 1]


def written(array):
    proto = tensor_pb2.TensorProto()
    tensors.write(array, proto)
    return proto


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool", "float16", "complex64"])
def test_numbers_are_written_as_they_are(dtype):
    array = np.array([[0, 1.5, -2], [np.inf, np.nan, 3]]).astype(dtype)
    np.testing.assert_array_equal(tf.make_ndarray(written(array)), array)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32])
def test_integers_are_written_in_their_field(dtype):
    whole = np.iinfo(dtype)
    values = [v for v in (*INTEGERS, whole.min, whole.max) if whole.min <= v <= whole.max]
    array = np.array(values * 5000, dtype)  # more than is written at once
    proto = written(array)
    assert not proto.tensor_content
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)


def test_long_integers():
    signed = np.array([-(2**63), -1, 2**63 - 1])
    assert list(written(signed).int64_val) == signed.tolist()
    unsigned = np.array([0, 2**64 - 1], np.uint64)
    assert list(written(unsigned).uint64_val) == unsigned.tolist()


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 2, 1)])
def test_any_shape(shape):
    for array in (np.zeros(shape, np.float32), np.full(shape, b"a", object)):
        back = tensors.from_proto("x", written(array))
        assert (back.shape, back.tolist()) == (shape, array.tolist())


def filled(size, **values):
    proto = tensor_pb2.TensorProto(dtype=7 if "string_val" in values else 1, **values)
    proto.tensor_shape.dim.add(size=size)
    return proto


def test_a_value_may_fill_a_small_tensor():
    assert tensors.from_proto("x", filled(1000, float_val=[2])).tolist() == [2] * 1000


@pytest.mark.parametrize(
    "proto",
    [
        filled(2**26, float_val=[1]),
        filled(2**33),
        filled(2**20, string_val=[b""]),
        filled(100, string_val=[b"a" * 2**20]),
    ],
    ids=["float", "nothing", "strings", "long strings"],
)
def test_but_no_large_one(proto):
    with pytest.raises(Status, match="too large for the values sent"):
        tensors.from_proto("x", proto)


def test_large_tensors_that_are_sent_whole():
    array = np.arange(2**21, dtype=np.float32)
    np.testing.assert_array_equal(tensors.from_proto("x", written(array)), array)
    raw = tf.make_tensor_proto(array)
    np.testing.assert_array_equal(tensors.from_proto("x", raw), array)


def test_outputs_that_no_message_holds():
    huge = np.broadcast_to(np.float32(0), (2**30,))  # takes no memory
    with pytest.raises(Status, match="output_filter") as error:
        tensors.check_size({"y": huge, "z": huge})
    assert error.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    tensors.check_size({"y": huge[:10]})
