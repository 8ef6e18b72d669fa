"""TensorFlow Serving's behaviour, a test for each thing that clients rely on.

It can be run against TensorFlow Serving itself: see conftest.py.
"""

import base64
import math

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from tests.serving.embedded.models import CLASSIFY, REGRESS
from tests.serving.embedded.processes import predict_request

CODE = grpc.StatusCode
MODEL = "/v1/models/probe"


def refused(call, code, message=""):
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert (error.value.code(), message in error.value.details()) == (code, True), error.value


@pytest.fixture
def rest(client):
    if not client.rest:
        pytest.skip("needs --rest-server")
    return client.http


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

    def test_a_deadline_that_is_too_short(self, client):
        slow = np.int64([200_000])
        refused(
            lambda: client.predict(signature="spin", rounds=slow, timeout=0.05),
            CODE.DEADLINE_EXCEEDED,
        )

    def test_large_messages(self, client):
        payload = b"a" * (6 * 2**20)  # gRPC's own limit is 4 MB
        outputs, _ = client.predict(signature="text", text=[payload])
        assert outputs["same"].tolist() == [payload]


class TestClassifyAndRegress:
    def test_classify(self, client):
        response = client.predictions.Classify(classify_request("classify", 0.25, 1.0), timeout=30)
        told = [
            [(each.label, each.score) for each in one.classes]
            for one in response.result.classifications
        ]
        assert told == [[("low", 0.75), ("high", 0.25)], [("low", 0.0), ("high", 1.0)]]
        assert response.model_spec.signature_name == "classify"

    def test_regress(self, client):
        response = client.predictions.Regress(regress_request("regress", 1.0, 2.0), timeout=30)
        assert [each.value for each in response.result.regressions] == [2.5, 3.0]

    def test_a_common_context(self, client):
        request = regress_request("regress")
        request.input.example_list_with_context.context.CopyFrom(examples(2.0)[0])
        request.input.example_list_with_context.examples.add()
        response = client.predictions.Regress(request, timeout=30)
        assert [each.value for each in response.result.regressions] == [3.0]

    def test_missing_signature(self, client):
        refused(
            lambda: client.predictions.Classify(classify_request("none", 1.0), timeout=30),
            CODE.INVALID_ARGUMENT,
        )
        refused(
            lambda: client.predictions.Regress(regress_request("none", 1.0), timeout=30),
            CODE.INVALID_ARGUMENT,
        )

    def test_a_signature_of_another_kind(self, client):
        refused(
            lambda: client.predictions.Classify(classify_request("regress", 1.0), timeout=30),
            CODE.INVALID_ARGUMENT,
            "Expected classification signature method_name to be tensorflow/serving/classify",
        )

    def test_no_examples(self, client):
        refused(
            lambda: client.predictions.Classify(classify_request("classify"), timeout=30),
            CODE.INVALID_ARGUMENT,
            "Input is empty",
        )


class TestMultiInference:
    @staticmethod
    def request(*tasks):
        request = inference_pb2.MultiInferenceRequest()
        request.input.example_list.examples.extend(examples(1.0))
        for name, signature, method in tasks:
            task = request.tasks.add(method_name=method)
            task.model_spec.name, task.model_spec.signature_name = name, signature
        return request

    def ask(self, client, *tasks):
        return client.predictions.MultiInference(self.request(*tasks), timeout=30)

    def test_one_task(self, client):
        (result,) = self.ask(client, ("probe", "regress", REGRESS)).results
        assert [each.value for each in result.regression_result.regressions] == [2.5]
        assert result.model_spec.version.value == 1

    @pytest.mark.parametrize(
        "tasks",
        [
            [("probe", "regress", REGRESS), ("probe", "regress", REGRESS)],
            [("probe", "regress", REGRESS), ("other", "classify", CLASSIFY)],
            [("probe", "none", REGRESS)],
            [("", "regress", REGRESS)],
        ],
        ids=["duplicate", "two models", "missing signature", "no name"],
    )
    def test_tasks_that_are_refused(self, client, tasks):
        refused(lambda: self.ask(client, *tasks), CODE.INVALID_ARGUMENT)


class TestMetadata:
    @staticmethod
    def ask(client, *metadata_fields, name="probe"):
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=metadata_fields)
        request.model_spec.name = name
        return client.predictions.GetModelMetadata(request, timeout=30)

    def test_signatures(self, client):
        response = self.ask(client, "signature_def")
        assert response.model_spec.version.value == 1
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert response.metadata["signature_def"].Unpack(signatures)
        default = signatures.signature_def["serving_default"]
        assert default.inputs["x"].dtype == tf.float32.as_datatype_enum
        assert [dim.size for dim in default.inputs["x"].tensor_shape.dim] == [-1]
        assert signatures.signature_def["classify"].method_name == CLASSIFY

    def test_fields(self, client):
        refused(lambda: self.ask(client), CODE.INVALID_ARGUMENT)
        refused(lambda: self.ask(client, "assets"), CODE.INVALID_ARGUMENT)

    def test_no_or_unknown_model(self, client):
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        refused(
            lambda: client.predictions.GetModelMetadata(request, timeout=30),
            CODE.INVALID_ARGUMENT,
        )
        refused(lambda: self.ask(client, "signature_def", name="other"), CODE.NOT_FOUND)


class TestStatus:
    @staticmethod
    def ask(client, name="probe", version=None, label=None):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        if version:
            request.model_spec.version.value = version
        if label:
            request.model_spec.version_label = label
        return client.models.GetModelStatus(request, timeout=30)

    @pytest.mark.parametrize("which", [{}, {"version": 1}, {"label": "ignored"}])
    def test_available(self, client, which):
        (told,) = self.ask(client, **which).model_version_status
        assert (told.version, told.state, told.status.error_code) == (1, 30, 0)

    def test_no_spec(self, client):
        request = get_model_status_pb2.GetModelStatusRequest()
        refused(lambda: client.models.GetModelStatus(request, timeout=30), CODE.INVALID_ARGUMENT)

    def test_unknown(self, client):
        refused(lambda: self.ask(client, "other"), CODE.NOT_FOUND)
        refused(lambda: self.ask(client, version=7), CODE.NOT_FOUND)


class TestReload:
    """Only what is refused: the others depend on this server's models."""

    @staticmethod
    def ask(client, text):
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        request = model_management_pb2.ReloadConfigRequest(config=config)
        return client.models.HandleReloadConfigRequest(request, timeout=60)

    def test_nothing_to_serve(self, client):
        refused(lambda: self.ask(client, ""), CODE.INVALID_ARGUMENT)

    def test_a_relative_path(self, client):
        text = """model_config_list { config {
            name: "m" base_path: "here" model_platform: "tensorflow" } }"""
        refused(lambda: self.ask(client, text), CODE.INVALID_ARGUMENT, "absolute path")

    def test_duplicate_names(self, client):
        one = 'config { name: "m" base_path: "/m" model_platform: "tensorflow" }'
        refused(
            lambda: self.ask(client, f"model_config_list {{ {one} {one} }}"), CODE.INVALID_ARGUMENT
        )


class TestRestPredict:
    @staticmethod
    def ask(rest, body, path=f"{MODEL}:predict"):
        status, answer = rest(path, body)
        assert status == 200, answer
        return answer

    def test_rows_of_one_input(self, rest):
        assert self.ask(rest, {"instances": [1.0, 2, 0.1]}) == {"predictions": [2.5, 3.0, 2.05]}
        assert self.ask(rest, {"instances": [{"x": 1.0}]}) == {"predictions": [2.5]}

    def test_rows_of_several_inputs(self, rest):
        body = {
            "signature_name": "two_inputs",
            "instances": [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}],
        }
        assert self.ask(rest, body) == {
            "predictions": [{"sum": 3.0, "difference": -1.0}, {"sum": 7.0, "difference": -1.0}]
        }

    def test_columns(self, rest):
        assert self.ask(rest, {"inputs": [1.0, 2.0]}) == {"outputs": [2.5, 3.0]}
        assert self.ask(rest, {"inputs": {"x": [1.0]}}) == {"outputs": [2.5]}
        body = {"signature_name": "two_inputs", "inputs": {"a": [1.0], "b": [2.0]}}
        assert self.ask(rest, body) == {"outputs": {"sum": [3.0], "difference": [-1.0]}}
        body = {"signature_name": "scalar", "inputs": 21.0}
        assert self.ask(rest, body) == {"outputs": 42.0}

    def test_versions_and_case(self, rest):
        assert self.ask(rest, {"instances": [0]}, f"{MODEL}/versions/1:predict")
        assert rest(f"{MODEL}/versions/7:predict", {"instances": [0]})[0] == 404
        status, answer = rest(f"{MODEL}/labels/nightly:predict", {"instances": [0]})
        assert (status, "Unrecognized servable version label" in answer["error"]) == (400, True)

    def test_bytes(self, rest):
        raw = base64.b64encode(b"\x00abc").decode()
        body = {"signature_name": "text", "instances": [{"b64": raw}, "text"]}
        first, second = self.ask(rest, body)["predictions"]
        assert first == {"length": 4, "same": "\x00abc", "same_bytes": {"b64": raw}}
        assert second["same_bytes"] == {"b64": base64.b64encode(b"text").decode()}

    def test_nan_and_infinity(self, rest):
        body = b'{"signature_name": "inverse", "instances": [0.0, -0.0, NaN, Infinity, 4]}'
        first, second, third, *others = self.ask(rest, body)["predictions"]
        assert (first, second, others) == (math.inf, -math.inf, [0.0, 0.25])
        assert math.isnan(third)

    def test_every_dtype(self, rest):
        row = {"i32": 1, "i64": 2**40, "u8": 255, "flag": True, "f64": 0.1, "f16": 0.5}
        body = {"signature_name": "dtypes", "instances": [row]}
        if "error" in rest(f"{MODEL}:predict", body)[1]:
            pytest.skip("DT_HALF isn't taken as JSON by all versions of TensorFlow Serving")
        assert self.ask(rest, body)["predictions"] == [
            {"i32": -1, "i64": -(2**40), "u8": 255, "flag": False, "f64": -0.1, "f16": -0.5}
        ]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[1]",
            {},
            {"instances": [1.0], "inputs": [1.0]},
            {"instances": []},
            {"instances": 1.0},
            {"instances": ["text"]},
            {"instances": [True]},
            {"instances": [None]},
            {"instances": [[1.0], 2.0]},
            {"instances": [{"x": 1.0}, 2.0]},
            {"instances": [{"z": 1.0}]},
            {"instances": [{"x": 1.0, "z": 1.0}]},
            {"inputs": {"z": [1.0]}},
            {"instances": [1.0], "signature_name": 7},
            {"instances": [1.0], "signature_name": "none"},
            {"instances": [1.0], "signature_name": "two_inputs"},
            {"instances": [{"a": 1.0}], "signature_name": "two_inputs"},
            {"instances": [1.5], "signature_name": "spin"},
            {"instances": [{"b64": "abc!"}], "signature_name": "text"},
            {"instances": [{"b64": "aaaa", "more": 1}], "signature_name": "text"},
            {"inputs": [[1.0, 2.0], [3.0]], "signature_name": "matrix"},
            {"instances": ["bm8="], "signature_name": "image"},
        ],
        ids=str,
    )
    def test_what_is_refused(self, rest, body):
        status, answer = rest(f"{MODEL}:predict", body)
        assert (status, list(answer)) == (400, ["error"])
        assert answer["error"]

    def test_an_unknown_model(self, rest):
        status, answer = rest("/v1/models/other:predict", {"instances": [1.0]})
        assert status == 404
        assert "Servable not found for request: Latest(other)" in answer["error"]


class TestRestOthers:
    def test_classify(self, rest):
        body = {"signature_name": "classify", "examples": [{"x": 0.25}]}
        assert rest(f"{MODEL}:classify", body) == (
            200,
            {"results": [[["low", 0.75], ["high", 0.25]]]},
        )

    def test_regress_with_context(self, rest):
        body = {"signature_name": "regress", "examples": [{"x": 1.0}, {"x": [2.0]}]}
        assert rest(f"{MODEL}:regress", body) == (200, {"results": [2.5, 3.0]})
        body = {"signature_name": "regress", "context": {"x": 1.0}, "examples": [{}]}
        assert rest(f"{MODEL}:regress", body) == (200, {"results": [2.5]})

    @pytest.mark.parametrize("examples", [None, [], "x", [1], [{"x": [1.0, "a"]}], [{"x": None}]])
    def test_examples_that_are_none(self, rest, examples):
        body = {"signature_name": "classify", "examples": examples}
        status, answer = rest(f"{MODEL}:classify", body)
        assert (status, list(answer)) == (400, ["error"])

    @pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1"])
    def test_status(self, rest, path):
        status, answer = rest(path)
        assert status == 200
        assert answer == {
            "model_version_status": [
                {
                    "version": "1",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        }

    def test_metadata(self, rest):
        status, answer = rest(f"{MODEL}/metadata")
        assert status == 200
        assert answer["model_spec"] == {"name": "probe", "signature_name": "", "version": "1"}
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        assert signatures["serving_default"]["inputs"]["x"] == {
            "dtype": "DT_FLOAT",
            "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
            "name": "serving_default_x:0",
        }

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/v1/models/other", 404),
            (f"{MODEL}/versions/7", 404),
            ("/v1/models/other/metadata", 404),
            ("/v1/models", 400),
            ("/v1/elsewhere", 400),
        ],
    )
    def test_what_there_is_not(self, rest, path, code):
        status, answer = rest(path)
        assert (status, list(answer)) == (code, ["error"])

    def test_the_wrong_method(self, rest):
        assert rest(f"{MODEL}:predict")[0] in (400, 405)

    def test_prometheus_metrics(self, client, rest):
        client.predict(x=[0.0])
        text = client.http_text("/monitoring/prometheus/metrics")
        counts = [
            line
            for line in text.splitlines()
            if line.startswith(":tensorflow:serving:request_count{")
            and 'model_name="probe"' in line
            and 'status="OK"' in line
        ]
        assert len(counts) == 1
        assert float(counts[0].rsplit(" ", 1)[1]) >= 1
        assert ":tensorflow:serving:request_latency_bucket{" in text
