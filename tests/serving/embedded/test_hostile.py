"""Requests that nobody should send: each gets a clear status, and the server goes on."""

import json
import socket

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from tests.serving.embedded.processes import predict_request

CODE = grpc.StatusCode
CLEAR = {
    CODE.INVALID_ARGUMENT,
    CODE.NOT_FOUND,
    CODE.FAILED_PRECONDITION,
    CODE.UNIMPLEMENTED,
    CODE.RESOURCE_EXHAUSTED,
}
MANY = settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def goes_on(probe_server, client):
    """After each test the server answers, and hasn't grown much."""
    before = probe_server.memory()
    yield
    assert client.predict(x=[1.0])[0]["y"].tolist() == [2.5]
    assert client.http("/v1/models/probe:predict", {"instances": [1.0]})[0] == 200
    assert "Traceback" not in probe_server.log.read_text()
    assert probe_server.memory() < before + 300 * 2**20


def code_of(call):
    try:
        call()
    except grpc.RpcError as e:
        return e.code() if e.details() else None
    return CODE.OK


class TestGrpc:
    @MANY
    @given(payload=st.binary(max_size=200))
    def test_bytes_that_are_no_request(self, client, payload):
        ask = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        # gRPC itself answers INTERNAL where a message can't be parsed.
        assert code_of(lambda: ask(payload, timeout=30)) in {*CLEAR, CODE.INTERNAL}

    @MANY
    @given(data=st.data())
    def test_damaged_requests(self, client, data):
        whole = predict_request(signature="text", text=[b"abc", b"d"]).SerializeToString()
        payload = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 4))):
            payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
        ask = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        code = code_of(lambda: ask(bytes(payload), timeout=30))
        assert code in {*CLEAR, CODE.INTERNAL, CODE.OK}

    @MANY
    @given(
        dtype=st.integers(0, 130),
        dims=st.lists(
            st.one_of(st.integers(-2, 4), st.sampled_from([2**31, 2**40, 2**62])), max_size=4
        ),
        unknown_rank=st.booleans(),
        content=st.binary(max_size=16),
        values=st.lists(st.integers(0, 9), max_size=5),
        signature=st.sampled_from(["", "text", "scalar", "matrix", "dtypes"]),
    )
    def test_tensors_that_do_not_fit(
        self, client, dtype, dims, unknown_rank, content, values, signature
    ):
        proto = tensor_pb2.TensorProto(dtype=dtype, tensor_content=content)
        proto.tensor_shape.unknown_rank = unknown_rank
        for size in dims:
            proto.tensor_shape.dim.add(size=size)
        proto.float_val.extend(values)
        proto.int_val.extend(values)
        proto.string_val.extend(str(value).encode() for value in values)
        alias = {"text": "text", "scalar": "number", "matrix": "rows", "dtypes": "i32"}
        request = predict_request(signature=signature, **{alias.get(signature, "x"): proto})
        code = code_of(lambda: client.predictions.Predict(request, timeout=30))
        assert code in {*CLEAR, CODE.OK}

    def test_a_value_that_shall_be_repeated_for_ever(self, client):
        proto = tensor_pb2.TensorProto(dtype=1, float_val=[1.0])
        proto.tensor_shape.dim.add(size=2**33)
        code = code_of(lambda: client.predict(x=proto))
        assert code is CODE.INVALID_ARGUMENT

    def test_a_message_over_the_limit(self, client):
        big = [b"a" * (17 * 2**20)]
        code = code_of(lambda: client.predict(signature="text", text=big))
        assert code is CODE.RESOURCE_EXHAUSTED

    def test_many_made_up_names(self, client):
        for number in range(200):
            assert code_of(lambda: client.predict(name=f"made-up-{number}", x=[1.0]))  # noqa: B023
        with_metrics = client.http_text("/monitoring/prometheus/metrics")
        assert "made-up" not in with_metrics

    def test_many_filters(self, client):
        request = predict_pb2.PredictRequest()
        request.CopyFrom(predict_request(x=[1.0]))
        request.output_filter.extend(["y"] * 10_000)
        code = code_of(lambda: client.predictions.Predict(request, timeout=30))
        assert code is CODE.INVALID_ARGUMENT

    def test_long_names(self, client):
        code = code_of(lambda: client.predict(name="a" * 100_000, x=[1.0]))
        assert code is CODE.NOT_FOUND
        code = code_of(lambda: client.predict(signature="\n" * 100_000, x=[1.0]))
        assert code is CODE.FAILED_PRECONDITION

    def test_an_empty_batch(self, client):
        outputs, _ = client.predict(x=np.zeros([0], np.float32))
        assert outputs["y"].shape == (0,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "a", "b", "text", "b64", "é"]), inner, max_size=3)
    ),
    max_leaves=8,
)


class TestRest:
    @MANY
    @given(
        value=JSON,
        key=st.sampled_from(["instances", "inputs", "examples", "context"]),
        signature=st.sampled_from(["serving_default", "text", "two_inputs", "matrix", "regress"]),
        method=st.sampled_from(["predict", "classify", "regress"]),
    )
    def test_json_of_any_kind(self, client, value, key, signature, method):
        body = {"signature_name": signature, key: value}
        status, answer = client.http(f"/v1/models/probe:{method}", body)
        assert status in (200, 400, 501), answer
        assert status == 200 or answer["error"]

    @settings(MANY, max_examples=300)
    @given(payload=st.binary(max_size=100))
    def test_bytes_that_are_no_json(self, client, payload):
        status, answer = client.http("/v1/models/probe:predict", payload)
        assert (status, bool(answer["error"])) == (400, True)

    @pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"instances":['])
    def test_json_that_is_nested_deeply(self, client, opening):
        status, answer = client.http("/v1/models/probe:predict", opening * 200_000)
        assert (status, bool(answer["error"])) == (400, True)
        whole = b'{"instances":' + b"[" * 900 + b"1" + b"]" * 900 + b"}"
        assert client.http("/v1/models/probe:predict", whole)[0] == 400

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/", 400),
            ("/v1/models/probe/versions/99999999999999999999", 400),
            ("/v1/models/probe/versions/-1", 400),
            ("/v1/models/probe/../../etc/passwd", 400),
            ("/v1/models/%00%ff", 404),
        ],
    )
    def test_paths(self, client, path, status):
        told, answer = client.http(path)
        assert (told, list(answer)) == (status, ["error"])

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (b"POST /v1/models/probe:predict HTTP/1.1\r\n\r\n", 411),
            (b"POST /v1/models/probe:predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 411),
            (b"POST /v1/models/probe:predict HTTP/1.1\r\nContent-Length: 1e9\r\n\r\n", 411),
            (b"POST /v1/models/probe:predict HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
            (
                b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Encoding: gzip\r\n\r\n1",
                415,
            ),
            (b"DELETE / HTTP/1.1\r\n\r\n", 501),
            (b"GET / HTTP/9.9\r\n\r\n", 505),
            (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
            (b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
            (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        ],
    )
    def test_http_that_is_none(self, probe_server, request_, status):
        host, port = probe_server.rest.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(request_)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP"):
            assert int(head.split()[1]) == status, answer
        else:  # an answer to HTTP 0.9 has no head
            body = head
        assert json.loads(body)["error"]

    def test_clients_that_leave(self, probe_server):
        host, port = probe_server.rest.split(":")
        for part in (
            b"",
            b"GET",
            b"POST /v1/models/probe:predict HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
        ):
            for _ in range(20):
                with socket.create_connection((host, int(port)), timeout=30) as connection:
                    connection.sendall(part)
