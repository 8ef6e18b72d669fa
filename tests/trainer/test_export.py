import numpy as np
import pytest
import tensorflow as tf

from components import features
from components.preprocessing import decode_and_resize
from trainer.export import ServedModel
from trainer.settings import Model, Training
from trainer.siamese import Siamese


def images(count):
    pixels = np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3)).astype("uint8")
    return pixels, [tf.io.encode_png(p).numpy() for p in pixels]


@pytest.fixture(scope="module")
def exported(tiny_backbone, tmp_path_factory):
    model = Siamese(Model(backbone=tiny_backbone, embedding_size=6), Training(), 16)

    def preprocess(encoded):
        return tf.map_fn(
            lambda one: tf.io.serialize_tensor(decode_and_resize(one, 16, "cubic")), encoded
        )

    directory = str(tmp_path_factory.mktemp("served") / "1")
    ServedModel(model, preprocess, 16).save(directory)
    return model, directory


def test_serves_what_the_network_says(exported):
    model, directory = exported
    pixels, encoded = images(6)
    z = model(pixels)
    expected = np.array(model.similarity(z[:3], z[3:]))
    compare = tf.saved_model.load(directory).signatures["serving_default"]
    served = compare(left=tf.constant(encoded[:3]), right=tf.constant(encoded[3:]))["similarity"]
    np.testing.assert_allclose(served, expected, rtol=1e-4)


def test_embeds(exported):
    model, directory = exported
    pixels, encoded = images(2)
    embed = tf.saved_model.load(directory).signatures["embed"]
    np.testing.assert_allclose(
        embed(image=tf.constant(encoded))["embedding"], model(pixels), rtol=1e-4, atol=1e-6
    )


def test_evaluates_plain_pairs(exported):
    model, directory = exported
    pixels, _ = images(2)
    serialized = [tf.io.serialize_tensor(p).numpy() for p in pixels]
    pair = tf.train.Example(
        features=tf.train.Features(
            feature={
                features.PIXELS: tf.train.Feature(bytes_list=tf.train.BytesList(value=serialized))
            }
        )
    ).SerializeToString()
    loaded = tf.saved_model.load(directory)
    z = model(pixels)
    answer = loaded.signatures["evaluate"](examples=tf.constant([pair, pair]))["similarity"]
    expected = float(model.similarity(z[:1], z[1:])[0])
    np.testing.assert_allclose(answer, [expected, expected], rtol=1e-4)
