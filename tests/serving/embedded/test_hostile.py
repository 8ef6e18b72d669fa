"""Requests that nobody should send: each gets a clear status, and the server goes on.

`python -m benchmarks.fuzz_serving` sends many more.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from benchmarks.fuzz_serving import Asker, fuzz
from tests.serving.embedded.processes import predict_request

CODE = grpc.StatusCode
PREDICT = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture(autouse=True)
def goes_on(probe_server, client):
    """After each test the server answers, and hasn't grown much."""
    before = probe_server.memory()
    yield
    assert client.predict(x=[1.0])[0]["y"].tolist() == [2.5]
    assert client.http("/v1/models/probe:predict", {"instances": [1.0]})[0] == 200
    assert "Traceback" not in probe_server.log.read_text()
    assert probe_server.memory() < before + 100 * 2**20


def code_of(call):
    try:
        call()
    except grpc.RpcError as e:
        return e.code() if e.details() else None
    return CODE.OK


def test_requests_made_up_from_a_seed(probe_server):
    askers = [Asker(probe_server.address, probe_server.rest) for _ in range(4)]
    report = fuzz(askers, seed=11, count=3000, told=lambda done: None)
    assert not report.wrong, report.wrong[:3]
    answers = report.answers
    assert min(answers[each] for each in ("protobuf: OK", "json: 200", "http: 200")) > 10, answers
    assert answers.total() == 3000


def test_messages_that_can_not_be_parsed_leave_nothing(probe_server, client):
    """Generated handlers kept 16 kB of each."""
    ask = client.channel.unary_unary(PREDICT)
    assert code_of(lambda: ask(b"\xff\xff\xff", timeout=30)) is CODE.INVALID_ARGUMENT
    before = probe_server.memory()
    with ThreadPoolExecutor(8) as pool:
        codes = set(
            pool.map(lambda _: code_of(lambda: ask(b"\xff\xff\xff", timeout=60)), range(3000))
        )
    assert codes == {CODE.INVALID_ARGUMENT}
    assert probe_server.memory() < before + 3000 * 4 * 2**10


class TestTensors:
    def test_a_value_that_fills_a_large_tensor(self, probe_server, client):
        proto = predict_request(x=[1.0]).inputs["x"]
        for size in (2**26, 2**33):
            proto.tensor_shape.dim[0].size = size
            assert code_of(lambda: client.predict(x=proto)) is CODE.INVALID_ARGUMENT

    def test_a_large_answer_stops_nobody(self, client):
        side = np.ones(1500, np.float32)
        done = threading.Event()
        slowest = []

        def others():
            while not done.is_set():
                future = client.predictions.Predict.future(predict_request(x=[1.0]), timeout=30)
                future.result()
                slowest.append(True)

        asking = threading.Thread(target=others)
        asking.start()
        outputs, _ = client.predict(signature="outer", left=side, right=side)
        done.set()
        asking.join(30)
        assert outputs["product"].shape == (1500, 1500)
        assert slowest


class TestGrpc:
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
        request = predict_request(x=[1.0])
        request.output_filter.extend(["y"] * 10_000)
        code = code_of(lambda: client.predictions.Predict(request, timeout=30))
        assert code is CODE.INVALID_ARGUMENT

    @pytest.mark.parametrize("letter", ["a", "\n", "é", "\U0001f600"])
    def test_long_names(self, client, letter):
        """The message is cut by bytes, so that it fits a header."""
        name = letter * 100_000
        assert code_of(lambda: client.predict(name=name, x=[1.0])) is CODE.NOT_FOUND
        code = code_of(lambda: client.predict(signature=name, x=[1.0]))
        assert code is CODE.FAILED_PRECONDITION

    def test_an_empty_batch(self, client):
        outputs, _ = client.predict(x=np.zeros([0], np.float32))
        assert outputs["y"].shape == (0,)

    @pytest.mark.parametrize(
        "method",
        [
            *("PredictionService/Classify", "PredictionService/Regress"),
            *("PredictionService/MultiInference", "ModelService/HandleReloadConfigRequest"),
        ],
    )
    def test_what_is_not_served(self, client, method):
        """Above all, no client can make the server load a model from elsewhere."""
        for message in (b"", b"\x0a\x01a"):
            ask = client.channel.unary_unary(f"/tensorflow.serving.{method}")
            with pytest.raises(grpc.RpcError) as error:
                ask(message, timeout=30)
            assert error.value.code() is CODE.UNIMPLEMENTED
            assert "TensorFlow Serving has the other methods" in error.value.details()

    def test_idle_streams_take_no_thread(self, client):
        """There is neither reflection nor Health.Watch, 256 streams of which took all threads."""
        for name in (
            "reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            "health.v1.Health/Watch",
        ):
            stream = client.channel.stream_stream(f"/grpc.{name}")
            with pytest.raises(grpc.RpcError) as error:
                next(stream(iter([b""]), timeout=30))
            assert error.value.code() is CODE.UNIMPLEMENTED
