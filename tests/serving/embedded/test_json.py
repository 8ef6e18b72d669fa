"""JSON as TensorFlow Serving reads and writes it."""

import json
import math
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
import tensorflow as tf

from serving.embedded import json_answers, json_requests
from serving.embedded.statuses import Status


def read(body, **dtypes):
    """The inputs of a signature with these dtypes; x is a float by default."""
    infos = {
        name: SimpleNamespace(dtype=tf.as_dtype(each).as_datatype_enum)
        for name, each in (dtypes or {"x": "float32"}).items()
    }
    document = json_requests.parse(body if isinstance(body, bytes) else json.dumps(body).encode())
    return json_requests.read_inputs(document, SimpleNamespace(inputs=infos))


def refused(body, **dtypes):
    with pytest.raises(Status) as error:
        read(body, **dtypes)
    return error.value


class TestRequests:
    @pytest.mark.parametrize(
        ("body", "values"),
        [
            (b'{"instances": [1e39]}', [math.inf]),
            (b'{"instances": [-NaN, NaN, -Infinity]}', [math.nan, math.nan, -math.inf]),
            (b'{"instances": [1], "instances": [2]}', [1]),
            (b'\xef\xbb\xbf{"instances": [1]}', [1]),
        ],
    )
    def test_numbers(self, body, values):
        np.testing.assert_array_equal(read(body)["x"], np.float32(values))

    def test_strings(self):
        body = rb'{"instances": ["-NaN \"", "\ud83d\ude00", {"b64": "AP8"}, -NaN]}'
        with pytest.raises(Status, match="expected type: string"):
            read(body, x="string")
        body = body.replace(b", -NaN", b"")
        wanted = [b'-NaN "', "\U0001f600".encode(), b"\0\xff"]
        assert read(body, x="string")["x"].tolist() == wanted

    def test_bytes_that_are_no_text(self):
        assert read(b'{"instances": ["\xff\xfe"]}', x="string")["x"].tolist() == [b"\xff\xfe"]

    @pytest.mark.parametrize(
        "body",
        [
            rb'{"instances": ["\ud800"]}',
            rb'{"instances": ["a"], "\udc80": 1}',
            rb'{"signature_name": "\ud800", "instances": ["a"]}',
            b'{"instances": [' + b"9" * 5000 + b"]}",
            b'{"instances": ' + b"[" * 200_000,
            b'{"instances": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}",
        ],
    )
    def test_what_is_no_json_or_no_tensor(self, body):
        assert refused(body, x="string").code is grpc.StatusCode.INVALID_ARGUMENT

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (
                {"instances": [1.0, "a"]},
                "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: JSON "
                'Value: "a" Type: String is not of expected type: float',
            ),
            (
                {"instances": [{"x": 1.0}, {"x": [1.0]}]},
                "Failed to process element: 1 key: x of 'instances' list. Error: INVALID_ARGUMENT: "
                "Expecting shape [] but got: [1]",
            ),
            (
                {"instances": [[1.0], [1.0, 2.0]]},
                "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
                "Expecting tensor size: 1 but got: 2",
            ),
            (
                {"instances": [{"x": 1.0, "z": 1.0}]},
                "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: "
                "JSON object: does not have named input: z",
            ),
            (
                {"instances": [{}]},
                "Failed to process element: 0 of 'instances' list. JSON object: {} keys must be "
                "equal to: x",
            ),
            ({"inputs": {}}, "Missing named input: x in 'inputs' object."),
        ],
    )
    def test_errors_name_the_element(self, body, message):
        assert refused(body).message == message

    def test_halfs_have_no_json(self):
        assert refused({"inputs": [0.5]}, x="half").code is grpc.StatusCode.UNIMPLEMENTED
        assert refused({"instances": [0.5]}, x="half").code is grpc.StatusCode.INVALID_ARGUMENT


class TestAnswers:
    def test_rows_of_one_output(self):
        answer = json_answers.predictions({"y": np.float32([2.5, 3, 2.05])})
        assert answer == b'{\n    "predictions": [2.5, 3.0, 2.05\n    ]\n}'
        answer = json_answers.predictions({"y": np.zeros([0], np.float32)})
        assert answer == b'{\n    "predictions": []\n}'

    def test_rows_of_several_outputs(self):
        outputs = {"a": np.float32([[1, 2]]), "b": np.array(["é".encode()], object)}
        text = """{
    "predictions": [
        {
            "a": [1.0, 2.0],
            "b": "é"
        }
    ]
}"""
        assert json_answers.predictions(outputs).decode() == text

    def test_columns(self):
        text = """{
    "outputs": {
        "a": [
            [
                1
            ]
        ],
        "b": true
    }
}"""
        outputs = {"a": np.int64([[1]]), "b": np.array(True)}
        assert json_answers.columns(outputs).decode() == text
        assert json.loads(json_answers.columns({"a": np.int64(7)})) == {"outputs": 7}

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (np.float32(0.1), "0.1"),
            (np.float32(1 / 3), "0.333333343"),
            (np.float64(1 / 3), "0.33333333333333331"),
            (np.float32(9e6), "9e+06"),
            (np.float32(3e-5), "3e-05"),
            (np.float32(16777216), "16777216.0"),
            (np.float16(0.1), "0.0999755859"),
            (np.float32(-np.inf), "-Infinity"),
            (np.float64(np.nan), "NaN"),
        ],
    )
    def test_digits(self, value, text):
        answer = json_answers.columns({"y": np.array(value)})
        assert answer == f'{{\n    "outputs": {text}\n}}'.encode()

    def test_floats_are_read_back_exactly(self):
        bits = np.random.default_rng(5).integers(0, 2**32, 10_000, np.uint32)
        values = bits.view(np.float32)
        read = json.loads(json_answers.predictions({"y": values}))["predictions"]
        np.testing.assert_array_equal(np.float32(read), values)

    def test_bytes(self):
        given = np.array([b"\xff"], object)
        assert json.loads(json_answers.columns({"y": given}))["outputs"] == [{"b64": "/w=="}]
        text = np.array([b"a"], object)
        assert json.loads(json_answers.columns({"y_bytes": text}))["outputs"] == [{"b64": "YQ=="}]

    def test_what_has_no_rows(self):
        for outputs, message in [
            ({}, "empty tensor map"),
            ({"y": np.float32(1)}, "no shape information"),
            ({"a": np.zeros(1), "b": np.zeros(2)}, "inconsistent batch size: 2 expecting: 1"),
            ({"y": np.zeros(1, complex)}, "tensor type: complex128"),
        ]:
            with pytest.raises(Status, match=message):
                json_answers.predictions(outputs)

    def test_too_many_values(self):
        huge = np.broadcast_to(np.float32(0), (2**40,))  # takes no memory
        with pytest.raises(Status, match="by gRPC") as error:
            json_answers.columns({"y": huge})
        assert error.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
