"""The messages are TensorFlow Serving's own on the wire."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor as descriptors
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow_serving.apis import get_model_status_pb2, model_pb2, predict_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.wire import serving_pb2 as wire
from serving.wire.tensors import to_array, to_tensor

OFFICIAL = {
    message.DESCRIPTOR.name: message.DESCRIPTOR
    for message in (
        tensor_shape_pb2.TensorShapeProto,
        tensor_pb2.TensorProto,
        model_pb2.ModelSpec,
        predict_pb2.PredictRequest,
        predict_pb2.PredictResponse,
        get_model_status_pb2.GetModelStatusRequest,
        get_model_status_pb2.GetModelStatusResponse,
        get_model_status_pb2.ModelVersionStatus,
        model_server_config_pb2.ModelServerConfig,
        model_server_config_pb2.ModelConfigList,
        model_server_config_pb2.ModelConfig,
    )
}
_POLICY = OFFICIAL["ModelConfig"].fields_by_name["model_version_policy"].message_type
OFFICIAL[_POLICY.containing_type.name] = _POLICY.containing_type
OFFICIAL["StatusProto"] = OFFICIAL["ModelVersionStatus"].fields_by_name["status"].message_type
READ_AS_TEXT = {"BatchingParameters", "PrometheusConfig", "MonitoringConfig", "SSLConfig"}
VALUES = [
    np.array([[0.5, -1.5], [np.inf, 3]], "f"),
    np.array([1e300]),
    np.array([[1], [-2]], "i4"),
    np.array([2**40, -1]),
    np.array([True, False]),
    np.array([b"a\0", b"\xff", b""], object),
    np.zeros([0, 3], "f"),
    np.array(2.5, "f"),
]


@pytest.mark.parametrize(
    "name", [n for n in wire.DESCRIPTOR.message_types_by_name if n not in READ_AS_TEXT]
)
def test_fields_have_the_same_numbers_and_types(name):
    ours, theirs = wire.DESCRIPTOR.message_types_by_name[name], OFFICIAL[name]
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        kinds = {field.type, other.type}
        # The error code is an enum there; both are varints.
        enum = {descriptors.FieldDescriptor.TYPE_ENUM, descriptors.FieldDescriptor.TYPE_INT32}
        assert field.number == other.number, field.name
        assert len(kinds) == 1 or kinds == enum, field.name


def test_policies_have_the_same_fields():
    ours = wire.FileSystemStoragePathSourceConfig.ServableVersionPolicy.DESCRIPTOR
    for message, other in (
        (ours, _POLICY),
        *zip(ours.nested_types, _POLICY.nested_types, strict=True),
    ):
        fields = {field.name: (field.number, field.type) for field in message.fields}
        assert fields == {field.name: (field.number, field.type) for field in other.fields}


def test_numbers_of_types_and_states():
    for value in wire.DESCRIPTOR.enum_types_by_name["DataType"].values:
        assert types_pb2.DataType.Value(value.name) == value.number
    states = get_model_status_pb2.ModelVersionStatus.State
    assert dict(wire.ModelVersionStatus.State.items()) == dict(states.items())


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value.dtype}{value.shape}")
def test_tensors_are_tensorflows(value):
    sent = tensor_pb2.TensorProto.FromString(to_tensor(value).SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(sent), value)
    assert sent.dtype == tf.make_tensor_proto(value).dtype
    answered = wire.TensorProto.FromString(tf.make_tensor_proto(value).SerializeToString())
    found = to_array(answered)
    np.testing.assert_array_equal(found, value)
    assert found.dtype == value.dtype


@pytest.mark.parametrize("value", [[b"a\0\0", b"b"], ["ä"], b"x", [0.5], 1, [[1, 2]], [True]])
def test_pythons_values_become_what_tensorflow_makes_of_them(value):
    sent = tensor_pb2.TensorProto.FromString(to_tensor(value).SerializeToString())
    expected = tf.make_tensor_proto(value)
    assert sent.dtype == expected.dtype
    np.testing.assert_array_equal(tf.make_ndarray(sent), tf.make_ndarray(expected))


def test_a_value_stands_for_all_that_follow():
    tensor = wire.TensorProto(dtype=wire.DT_FLOAT, float_val=[1, 2])
    tensor.tensor_shape.dim.add(size=2)
    tensor.tensor_shape.dim.add(size=2)
    assert to_array(tensor).tolist() == [[1, 2], [2, 2]]


def test_other_types_are_refused_by_name():
    with pytest.raises(TypeError, match="complex128 cannot be sent"):
        to_tensor([1j])
    with pytest.raises(TypeError, match="type 22 cannot be read"):
        to_array(wire.TensorProto.FromString(b"\x08\x16"))
