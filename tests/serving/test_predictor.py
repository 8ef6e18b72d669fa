"""With a stand-in for the exported model: the nearer two files in length, the more similar."""

import pytest
import tensorflow as tf

from serving.predictor import ModelError, Predictor


class StandIn(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
    def compare(self, left, right):
        difference = tf.strings.length(left) - tf.strings.length(right)
        return {"similarity": 1 / (1 + tf.abs(tf.cast(difference, tf.float32)))}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory, stand_in = str(tmp_path_factory.mktemp("model") / "1"), StandIn()
    tf.saved_model.save(stand_in, directory, {"serving_default": stand_in.compare})
    return directory


def test_pairs_are_compared_in_order(model):
    similarities = Predictor(model).similarity([b"aa", b"a", b""], [b"bb", b"bb", b"bbb"])
    assert similarities == [1.0, 0.5, 0.25]


def test_sides_must_be_equally_many(model):
    with pytest.raises(ValueError, match="1 left images for 2 right ones"):
        Predictor(model).similarity([b""], [b"", b""])


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(ModelError, match="holds no SavedModel"):
        Predictor(tmp_path)


def test_a_model_of_another_kind(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(ModelError, match="has no signature 'serving_default'"):
        Predictor(tmp_path)
