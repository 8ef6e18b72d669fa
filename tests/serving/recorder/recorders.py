"""A recorder in this process, and calls of `classify` for it."""

import asyncio
import contextlib
import threading
import time

import numpy as np
from fake_serving import serving

from serving.connection import Connection
from serving.recorder.call import Call
from serving.recorder.follow_ups import Upstream
from serving.recorder.options import Options
from serving.recorder.server import serve
from serving.wire import serving_pb2 as wire
from serving.wire.tensors import to_tensor
from traffic.store import TrafficStore


@contextlib.contextmanager
def recording(upstream, store, rest=None, tls=None, **options):
    """Has a recorder run before a server; gives where it listens. Then all is recorded."""
    options = Options(
        Upstream(upstream, rest, tls), store, port=0, rest_port=0, metrics_port=0, **options
    )
    loop, listening, started = asyncio.new_event_loop(), [], threading.Event()
    failed = []

    async def run():
        stopped = asyncio.Event()

        def ready(where):
            listening.extend((where, stopped))
            started.set()

        try:
            await serve(options, ready, stopped)
        except Exception as e:
            failed.append(e)
        finally:
            started.set()

    thread = threading.Thread(target=loop.run_until_complete, args=[run()])
    thread.start()
    started.wait(20)
    if failed:
        thread.join()
        raise failed[0]
    try:
        yield listening[0]
    finally:
        loop.call_soon_threadsafe(listening[1].set)
        thread.join(20)
        loop.close()


@contextlib.contextmanager
def asking(service, store, **options):
    """A connection through a recorder to a service of `fake_serving`."""
    with (
        serving(service) as address,
        recording(address, store, **options) as where,
        Connection(f"localhost:{where.grpc}", "parts") as connection,
    ):
        yield connection


def answers(store):
    with TrafficStore(store) as opened:
        return opened.answers()


def images(store):
    with TrafficStore(store) as opened:
        return opened.images()


def until(condition, seconds=10.0):
    """Wait until a condition holds, and return what it gives."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "it never held"
        time.sleep(0.02)
    return result


def request(*images, signature="classify", **spec):
    """A `PredictRequest`."""
    spec = wire.ModelSpec(name="parts", signature_name=signature, **spec)
    made = wire.PredictRequest(model_spec=spec)
    made.inputs["image"].CopyFrom(to_tensor(list(images)))
    return made


def outputs(*labels, known=True, margin=0.5):
    """The outputs of `classify`."""
    count = len(labels)
    return {
        "classes": np.array([[label, b"other"] for label in labels], object),
        "scores": np.array([[0.75, 0.75 - margin]] * count, "f"),
        "probabilities": np.array([[0.875, 0.125]] * count, "f"),
        "label": np.array(labels, object),
        "known": np.full(count, known),
        "valid": np.ones(count, bool),
        "reason": np.array([b""] * count, object),
    }


def response(version=7, **kinds):
    """A `PredictResponse`: outputs by name."""
    made = wire.PredictResponse(model_spec=wire.ModelSpec(name="parts"))
    made.model_spec.version.value = version
    for name, values in kinds.items():
        made.outputs[name].CopyFrom(to_tensor(values))
    return made


def call(*images, labels=None, id="c", time=1000.0, **kinds):
    """An answered call."""
    answer = response(**outputs(*(labels or [b"bent"] * len(images)), **kinds))
    asked = request(*images)
    return Call(id, time, asked.SerializeToString(), answer.SerializeToString())
