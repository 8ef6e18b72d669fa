"""With a stand-in for the exported model: the nearer two files in length, the more similar."""

import pytest
import tensorflow as tf

from serving.predictor import Comparison, ModelError, Predictor


class StandIn(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
    def compare(self, left, right):
        difference = tf.strings.length(left) - tf.strings.length(right)
        similarity = 1 / (1 + tf.abs(tf.cast(difference, tf.float32)))
        return {"similarity": similarity, "same": similarity >= 0.3, "valid": left != b""}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory, stand_in = str(tmp_path_factory.mktemp("model") / "1"), StandIn()
    tf.saved_model.save(stand_in, directory, {"serving_default": stand_in.compare})
    return directory


def test_pairs_are_compared_in_order(model):
    answers = Predictor(model).compare([b"aa", b"a", b""], [b"bb", b"bb", b"bbb"])
    assert answers == [
        Comparison(1.0, same=True, valid=True),
        Comparison(0.5, same=True, valid=True),
        Comparison(0.25, same=False, valid=False),
    ]


def test_sides_must_be_equally_many(model):
    with pytest.raises(ValueError, match="1 left images for 2 right ones"):
        Predictor(model).compare([b""], [b"", b""])


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(ModelError, match="holds no SavedModel"):
        Predictor(tmp_path)


def test_a_model_of_another_kind(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(ModelError, match="has no signature 'serving_default'"):
        Predictor(tmp_path)


def test_a_model_that_gives_no_verdict(tmp_path):
    module = tf.Module()
    module.compare = tf.function(
        lambda left, right: {"similarity": tf.zeros(tf.shape(left))},
        input_signature=[tf.TensorSpec([None], tf.string, name=n) for n in ("left", "right")],
    )
    tf.saved_model.save(module, str(tmp_path), {"serving_default": module.compare})
    with pytest.raises(ModelError, match="does not answer with same, valid; train the model anew"):
        Predictor(tmp_path)
