"""gRPC calls through a recorder are as without it."""

import contextlib
import threading
import time
from concurrent import futures

import grpc
import pytest
from fake_serving import Service

from serving.serving_error import ServingError
from tests.serving.recorder.recorders import answers, asking, recording, request, until

PREDICT = "/tensorflow.serving.PredictionService/Predict"


@contextlib.contextmanager
def echoing(answer, port=0, streams=False):
    """Answers any method by bytes; gives the port."""

    class Any(grpc.GenericRpcHandler):
        def service(self, details):
            if streams:
                return grpc.stream_stream_rpc_method_handler(answer)
            return grpc.unary_unary_rpc_method_handler(answer)

    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(8), [Any()], options=options)
    bound = server.add_insecure_port(f"localhost:{port}")
    server.start()
    try:
        yield bound
    finally:
        server.stop(None)


@contextlib.contextmanager
def through(port, store, **options):
    """A channel to a recorder before a port."""
    unlimited = [("grpc.max_receive_message_length", -1)]
    with (
        recording(f"localhost:{port}", store, **options) as where,
        grpc.insecure_channel(f"localhost:{where.grpc}", options=unlimited) as channel,
    ):
        yield channel


@pytest.mark.parametrize("method", [PREDICT, "/tensorflow.serving.ModelService/GetModelStatus"])
def test_bytes_and_metadata_are_passed_on_as_they_are(tmp_path, method):
    came = []

    def answer(request, context):
        came.append((request, dict(context.invocation_metadata()), context.time_remaining()))
        context.send_initial_metadata([("first", "1")])
        context.set_trailing_metadata([("last-bin", b"\xff")])
        return b"no message: \xff" + request

    large = bytes(range(255, -1, -1)) * 20_000  # more than gRPC's default limit of 4 MB
    sent = [("authorization", "Bearer x"), ("trace-bin", b"\x00\xff")]
    with echoing(answer) as port, through(port, tmp_path) as channel:
        response, call = channel.unary_unary(method).with_call(large, 20, metadata=sent)
    assert response == b"no message: \xff" + large
    assert dict(call.initial_metadata())["first"] == "1"
    assert dict(call.trailing_metadata())["last-bin"] == b"\xff"
    ((request, metadata, remaining),) = came
    assert request == large
    assert metadata.items() >= dict(sent).items()
    assert 5 < remaining <= 20


def test_without_a_deadline_there_is_none(tmp_path):
    remaining = []
    with (
        echoing(lambda _, context: remaining.append(context.time_remaining()) or b"") as port,
        through(port, tmp_path) as channel,
    ):
        channel.unary_unary(PREDICT)(b"")
    assert remaining[0] is None or remaining[0] > 1e6


@pytest.mark.parametrize("method", [PREDICT, "/some.Service/Method"])
def test_status_codes_and_their_details_are_passed_on(tmp_path, method):
    def answer(request, context):
        context.set_trailing_metadata([("why", "so")])
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no such signature: é")

    with (
        echoing(answer) as port,
        through(port, tmp_path) as channel,
        pytest.raises(grpc.RpcError) as failed,
    ):
        channel.unary_unary(method)(b"x", 20)
    assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert failed.value.details() == "no such signature: é"
    assert ("why", "so") in failed.value.trailing_metadata()


def test_unknown_methods_and_streams_are_passed_on(tmp_path):
    def answer(requests, context):
        context.send_initial_metadata([("first", "1")])
        for each in requests:
            yield each + b"!"
            yield each + b"?"
        context.set_trailing_metadata([("last", "2")])

    with echoing(answer, streams=True) as port, through(port, tmp_path) as channel:
        call = channel.stream_stream("/some.Service/Talk")(iter([b"a", b"b"]), 20)
        assert list(call) == [b"a!", b"a?", b"b!", b"b?"]
        assert dict(call.initial_metadata())["first"] == "1"
        assert dict(call.trailing_metadata())["last"] == "2"


def test_a_call_that_is_cancelled_is_cancelled_behind_the_recorder(tmp_path):
    begun, ended = threading.Event(), threading.Event()

    def answer(request, context):
        context.add_callback(ended.set)
        begun.set()
        ended.wait(10)
        return b""

    with echoing(answer) as port, through(port, tmp_path) as channel:
        call = channel.unary_unary(PREDICT).future(b"x", 20)
        assert begun.wait(10)
        call.cancel()
        assert ended.wait(5)


def test_a_server_that_is_gone_is_said_at_once_and_found_again(tmp_path):
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(echoing(lambda *_: b"first"))
        with through(port, tmp_path) as channel:
            predict = channel.unary_unary(PREDICT)
            assert predict(b"", 20) == b"first"
            stack.close()
            started = time.monotonic()
            with pytest.raises(grpc.RpcError) as failed:
                predict(b"", 60)
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
            assert time.monotonic() - started < 30  # it does not wait for the deadline
            with echoing(lambda *_: b"again", port):
                assert until(lambda: _answered(predict)) == b"again"


def _answered(predict):
    try:
        return predict(b"", 5)
    except grpc.RpcError:
        return None


def test_what_the_client_classifies_is_recorded(tmp_path):
    with asking(Service(), tmp_path) as connection:
        connection.predict("classify", {"image": [b"one", b"two"]})
        connection.predict("embed", {"image": [b"three"]})
        connection.predict("classify", {"image": [b"four"]})
    assert [each.label for each in answers(tmp_path)] == ["a"] * 3


def test_failed_calls_are_not_recorded(tmp_path):
    service = Service()
    service.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "no")]
    with asking(service, tmp_path) as connection, pytest.raises(ServingError):
        connection.predict("classify", {"image": [b"one"]})
    assert answers(tmp_path) == []


def test_the_request_is_not_changed_without_a_canary(tmp_path):
    came = []
    asked = request(b"one").SerializeToString() + b"\xfa\x01\x01x"  # with an unknown field
    with (
        echoing(lambda message, _: came.append(message) or b"") as port,
        through(port, tmp_path) as channel,
    ):
        channel.unary_unary(PREDICT)(asked, 20)
    assert came == [asked]
