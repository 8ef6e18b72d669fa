"""What the suite asks the probe, and how it is refused."""

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, regression_pb2

CODE = grpc.StatusCode
MODEL = "/v1/models/probe"


def refused(call, code, message=""):
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert (error.value.code(), message in error.value.details()) == (code, True), error.value


def examples(*values):
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={"x": tf.train.Feature(float_list=tf.train.FloatList(value=[value]))}
            )
        )
        for value in values
    ]


def classify_request(signature, *values):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "probe", signature
    request.input.example_list.examples.extend(examples(*values))
    return request


def regress_request(signature, *values):
    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "probe", signature
    request.input.example_list.examples.extend(examples(*values))
    return request
