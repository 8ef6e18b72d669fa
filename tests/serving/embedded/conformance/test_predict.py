"""Predict by gRPC: signatures, dtypes, versions, and what is refused."""

import grpc
import numpy as np
import pytest

from tests.serving.embedded.conformance.asking import CODE, refused
from tests.serving.embedded.processes import predict_request


@pytest.mark.seen_in_source
class TestPredict:
    def test_default_signature_and_newest_version(self, client):
        response = client.predictions.Predict(predict_request(x=[1.0, 2.0]), timeout=30)
        assert list(response.outputs["y"].float_val) == [2.5, 3.0]
        assert response.model_spec.name == "probe"
        assert response.model_spec.version.value == 1
        assert response.model_spec.signature_name == "serving_default"

    def test_named_signature_is_echoed(self, client):
        request = predict_request(signature="two_inputs", a=[3.0], b=[1.0])
        response = client.predictions.Predict(request, timeout=30)
        assert {name: list(t.float_val) for name, t in response.outputs.items()} == {
            "sum": [4.0],
            "difference": [2.0],
        }
        assert response.model_spec.signature_name == "two_inputs"

    def test_a_version(self, client):
        assert client.predict(version=1, x=[0.0])[1] == 1

    def test_bytes_and_dtypes_and_scalars(self, client):
        outputs, _ = client.predict(signature="text", text=[b"\xff\x00a", b""])
        assert outputs["length"].tolist() == [3, 0]
        assert outputs["same"].tolist() == [b"\xff\x00a", b""]
        given = {
            "i32": np.int32([-(2**31)]),
            "i64": np.int64([2**40]),
            "u8": np.uint8([255]),
            "flag": np.array([True]),
            "f64": np.float64([0.1]),
            "f16": np.float16([0.5]),
        }
        outputs, _ = client.predict(signature="dtypes", **given)
        assert {name: (each.dtype, each.tolist()) for name, each in outputs.items()} == {
            "i32": (np.int32, [-(2**31)]),
            "i64": (np.int64, [-(2**40)]),
            "u8": (np.uint8, [255]),
            "flag": (bool, [False]),
            "f64": (np.float64, [-0.1]),
            "f16": (np.float16, [-0.5]),
        }
        outputs, _ = client.predict(signature="scalar", number=np.float32(21))
        assert outputs["double"].shape == ()
        assert outputs["double"] == 42

    def test_no_model_name(self, client):
        refused(
            lambda: client.predict(name="", x=[0.0]),
            CODE.INVALID_ARGUMENT,
            "ModelSpec has no name specified.",
        )

    def test_unknown_model(self, client):
        refused(
            lambda: client.predict(name="other", x=[0.0]),
            CODE.NOT_FOUND,
            "Servable not found for request: Latest(other)",
        )

    def test_unknown_version(self, client):
        refused(
            lambda: client.predict(version=7, x=[0.0]),
            CODE.NOT_FOUND,
            "Servable not found for request: Specific(probe, 7)",
        )

    def test_unknown_label(self, client):
        refused(
            lambda: client.predict(label="nightly", x=[0.0]),
            CODE.INVALID_ARGUMENT,
            "Unrecognized servable version label",
        )

    def test_missing_signature(self, client):
        refused(
            lambda: client.predict(signature="none", x=[0.0]),
            CODE.FAILED_PRECONDITION,
            'Serving signature key "none" not found.',
        )

    @pytest.mark.parametrize(
        ("inputs", "extra", "missing"),
        [({"a": [1.0]}, "{}", "{b}"), ({"a": [1.0], "b": [1.0], "c": [1.0]}, "{c}", "{}")],
    )
    def test_wrong_inputs(self, client, inputs, extra, missing):
        call = lambda: client.predict(signature="two_inputs", **inputs)  # noqa: E731
        refused(call, CODE.INVALID_ARGUMENT, "input size does not match signature")
        refused(call, CODE.INVALID_ARGUMENT, f"Sent extra: {extra}")
        refused(call, CODE.INVALID_ARGUMENT, f"Missing but required: {missing}")

    def test_another_input_name(self, client):
        refused(lambda: client.predict(z=[0.0]), CODE.INVALID_ARGUMENT)

    def test_another_dtype_or_shape(self, client):
        refused(lambda: client.predict(x=np.int32([1])), CODE.INVALID_ARGUMENT)
        refused(lambda: client.predict(x=[b"1"]), CODE.INVALID_ARGUMENT)
        refused(lambda: client.predict(signature="matrix", rows=[1.0]), CODE.INVALID_ARGUMENT)

    def test_what_the_model_refuses(self, client):
        refused(
            lambda: client.predict(signature="image", image=[b"no image"]), CODE.INVALID_ARGUMENT
        )

    def test_output_filter(self, client):
        request = predict_request(signature="two_inputs", a=[3.0], b=[1.0])
        request.output_filter.append("sum")
        response = client.predictions.Predict(request, timeout=30)
        assert list(response.outputs) == ["sum"]

        request.output_filter.append("sum")
        refused(lambda: client.predictions.Predict(request, timeout=30), CODE.INVALID_ARGUMENT)
        request.output_filter[:] = ["product"]
        refused(
            lambda: client.predictions.Predict(request, timeout=30),
            CODE.INVALID_ARGUMENT,
            "output tensor alias not found in signature: product",
        )

    @pytest.mark.seen_running
    def test_a_deadline_that_is_too_short(self, client):
        slow = np.int64([200_000])
        refused(
            lambda: client.predict(signature="spin", rounds=slow, timeout=0.05),
            CODE.DEADLINE_EXCEEDED,
        )

    def test_what_can_not_be_parsed(self, client):
        ask = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as error:
            ask(b"\xff\xff\xff", timeout=30)
        assert error.value.code() in (CODE.INVALID_ARGUMENT, CODE.INTERNAL)

    def test_large_messages(self, client):
        payload = b"a" * (6 * 2**20)  # gRPC's own limit is 4 MB
        outputs, _ = client.predict(signature="text", text=[payload])
        assert outputs["same"].tolist() == [payload]
