"""A stand-in for the exported model, served by the embedded server."""

import contextlib
import queue
import threading

import pytest
import tensorflow as tf
from sample_images import encoded, picture
from tensorflow_serving.apis import prediction_log_pb2

from serving import infra_check as module
from serving.connection import Connection
from serving.embedded.warmup import WARMUP_FILE
from serving.engine import EngineError
from serving.infra_check import InfraCheckError, infra_check
from serving.temporary_server import temporary_server
from tests.serving.stand_in import StandIn

IMAGES = [encoded(picture(label, 0)) for label in range(3)]


def publish(folder, offset=0.0, signature="embed"):
    StandIn(offset).save(folder)
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    request.inputs["image"].CopyFrom(tf.make_tensor_proto(IMAGES[:1]))
    (folder / WARMUP_FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as writer:
        writer.write(log.SerializeToString())
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A model and the address at which it is served."""
    base = tmp_path_factory.mktemp("base")
    model = publish(base / "1")
    with temporary_server("embedded", "candidate", base) as address:
        yield model, address


@pytest.fixture
def no_new_server(served, monkeypatch):
    """Has the model that is served already answer for each."""
    monkeypatch.setattr(
        module,
        "temporary_server",
        lambda *_, stopped: contextlib.nullcontext(enter_result=served[1]),
    )
    return served[0]


def test_a_good_model_is_asked_in_all_signatures(no_new_server):
    assert infra_check(no_new_server, IMAGES, "embedded") == 1 + 3


def test_without_images_the_warm_up_requests_are_asked(no_new_server):
    assert infra_check(no_new_server, [], "embedded") == 1


@pytest.mark.parametrize("offset", [0.01, -0.01])
def test_other_answers_are_told_of(no_new_server, tmp_path, offset):
    other = publish(tmp_path / "1", offset)
    with pytest.raises(InfraCheckError, match=r"signature 'embed': .* embedding\[0, 0\] is 0"):
        infra_check(other, IMAGES, "embedded")


def test_a_warm_up_request_that_the_model_does_not_take(no_new_server, tmp_path):
    other = publish(tmp_path / "1", signature="nonesuch")
    with pytest.raises(InfraCheckError, match="the model has no signature 'nonesuch'"):
        infra_check(other, [], "embedded")


def test_warm_up_requests_that_cannot_be_read(no_new_server, tmp_path):
    other = publish(tmp_path / "1")
    (other / WARMUP_FILE).write_bytes(b"junk" * 10)
    with pytest.raises(InfraCheckError, match=r"tf_serving_warmup_requests: record 0 of .*/1: "):
        infra_check(other, [], "embedded")


def test_no_model_stops_the_server_that_waits_for_one(tmp_path, monkeypatch):
    seen = []

    @contextlib.contextmanager
    def waits(engine, name, base_path, stopped):
        seen.append(stopped.wait(60))
        raise EngineError("the server was stopped")
        yield

    monkeypatch.setattr(module, "temporary_server", waits)
    with pytest.raises(InfraCheckError, match="cannot be run in this process"):
        infra_check(tmp_path, IMAGES, "embedded")
    assert seen == [True]


def test_an_interrupt_ends_what_is_computed_meanwhile(served, monkeypatch):
    began, asked, events = threading.Event(), [], queue.Queue()

    def interrupts(*args, stopped):
        events.put(stopped)
        assert began.wait(60)
        raise KeyboardInterrupt

    def answer(model, question):
        asked.append(question.signature)
        began.set()
        events.get(timeout=60).wait(60)
        return {}

    monkeypatch.setattr(module, "temporary_server", interrupts)
    monkeypatch.setattr(module, "_answer", answer)
    with pytest.raises(KeyboardInterrupt):
        infra_check(served[0], IMAGES, "embedded")
    assert len(asked) == 1


def test_a_server_that_does_not_start(served, monkeypatch):
    def fails(*args, stopped):
        raise EngineError("the server ended")

    monkeypatch.setattr(module, "temporary_server", fails)
    with pytest.raises(EngineError, match="the server ended"):
        infra_check(served[0], IMAGES, "embedded")


def test_ties_may_be_ranked_otherwise(no_new_server, monkeypatch):
    def ranked_backwards(self, signature, inputs):
        answer = predict(self, signature, inputs)
        if signature == "classify":
            for name in ("classes", "scores", "nearest"):
                answer[name] = answer[name][:, ::-1]
        return answer

    predict = Connection.predict
    monkeypatch.setattr(Connection, "predict", ranked_backwards)
    infra_check(no_new_server, IMAGES, "embedded")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a | {"label": a["classes"][:, 1]}, "label.0. is b'"),
        (lambda a: a | {"scores": a["scores"] + 0.01}, "scores.0, 0. is"),
        (lambda a: a | {"known": ~a["known"]}, "known.0. is"),
        (lambda a: a | {"scores": a["scores"].astype("f8")}, "scores is float64"),
        (lambda a: a | {"more": a["known"]}, r"outputs \['classes', .*'more'"),
    ],
)
def test_what_differs_is_named(no_new_server, monkeypatch, change, message):
    predict = Connection.predict
    monkeypatch.setattr(
        Connection,
        "predict",
        lambda self, signature, inputs: (change if signature == "classify" else dict)(
            predict(self, signature, inputs)
        ),
    )
    with pytest.raises(InfraCheckError, match=f"signature 'classify': .*{message}"):
        infra_check(no_new_server, IMAGES, "embedded")
