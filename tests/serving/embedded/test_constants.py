import numpy as np
import pytest
import tensorflow as tf

from serving.embedded import constants
from serving.embedded.servable import LoadSettings, Servable


class Names(tf.Module):
    """Its variables are as long as they happen to be, and one is of strings."""

    def __init__(self):
        super().__init__()
        self.names = tf.Variable(["zero", "one"], shape=[None])
        self.numbers = tf.Variable([5.0, 7.0, 9.0], shape=[None])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="i")])
    def read(self, i):
        names, numbers = self.names.read_value(), self.numbers.read_value()
        return {"name": tf.gather(names, i), "number": tf.gather(numbers, i)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="i")])
    def look_up(self, i):
        return {"name": tf.gather(self.names, i), "number": tf.gather(self.numbers, i)}


def save(path, function):
    names = Names()
    tf.saved_model.save(names, str(path), {"serving_default": getattr(names, function)})
    return str(path)


def kinds(servable):
    return {operation.type for operation in servable._session.graph.get_operations()}


def assert_answers(servable):
    answer = servable.signatures["serving_default"].run({"i": np.array([1, 0], np.int32)})
    assert answer["name"].tolist() == [b"one", b"zero"]
    assert answer["number"].tolist() == [7, 5]
    servable.close()


# The numbers take 12 bytes, the names 7.
@pytest.mark.parametrize(("most_bytes", "converted"), [(19, True), (18, False)])
def test_variables_of_any_length_become_constants(tmp_path, monkeypatch, most_bytes, converted):
    monkeypatch.setattr(constants, "_MOST_BYTES", most_bytes)
    servable = Servable(save(tmp_path, "read"), LoadSettings())
    assert ("VarHandleOp" not in kinds(servable)) == converted
    assert_answers(servable)


def test_a_graph_that_cannot_be_converted_is_served_as_it_is(tmp_path):
    servable = Servable(save(tmp_path, "look_up"), LoadSettings())
    assert "VarHandleOp" in kinds(servable)
    assert_answers(servable)
