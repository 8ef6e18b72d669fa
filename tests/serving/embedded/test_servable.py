import time

import grpc
import numpy as np
import pytest
import tensorflow as tf

from serving.embedded.deadline import Deadline
from serving.embedded.servable import Servable
from serving.embedded.statuses import Status

FOR_MINUTES = np.int64([50_000_000])


@pytest.fixture(scope="module")
def probe(probe_folder):
    servable = Servable(str(probe_folder / "1"))
    yield servable
    servable.close()


@pytest.mark.seen_running
def test_a_deadline_stops_the_work(probe):
    began = time.monotonic()
    with pytest.raises(Status) as error:
        probe.signatures["spin"].run({"rounds": FOR_MINUTES}, Deadline(0.2))
    assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 30


def test_a_deadline_that_has_passed(probe):
    with pytest.raises(Status, match="before the model was run"):
        probe.signatures["spin"].run({"rounds": FOR_MINUTES}, Deadline(0))


def test_only_the_outputs_that_are_asked_for_are_computed(tmp_path):
    path = str(tmp_path / "graph")
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.int64, [None])
        outputs = {"double": 2 * x, "broken": 1 // (x - x)}
        v1.saved_model.simple_save(session, path, {"x": x}, outputs)
    servable = Servable(path)
    signature, inputs = servable.signatures["serving_default"], {"x": np.int64([3])}
    assert signature.run(inputs, Deadline(), ["double"])["double"].tolist() == [6]
    with pytest.raises(Status, match="division by zero"):
        signature.run(inputs, Deadline())
    servable.close()


def test_shapes_and_dtypes_are_checked(probe):
    signature = probe.signatures["matrix"]
    signature.check({"rows": np.zeros([2, 3], np.float32)})
    for rows in (np.zeros([2], np.float32), np.zeros([2, 3]), np.array([[b"a"]], object)):
        with pytest.raises(Status, match="Expects input 'rows'"):
            signature.check({"rows": rows})
