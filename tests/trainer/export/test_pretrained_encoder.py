import keras
import numpy as np
import tensorflow as tf
from pair_files import write_splits

from components.transform.pixels import decode_and_resize
from trainer.export.constants import MOST_BYTES
from trainer.export.pretrained_encoder import PretrainedEncoder
from trainer.network.backbone import build_backbone
from trainer.settings import Model, Training
from trainer.training.fit import train
from trainer.training.images import Images
from trainer.training.snapshot import pooled_features


def preprocess(encoded):
    return tf.map_fn(
        lambda one: tf.io.serialize_tensor(decode_and_resize(one, 16, "cubic")), encoded
    )


def test_the_pretrained_encoder_answers_as_before_training(tiny_backbone, tmp_path):
    settings = Model(backbone=tiny_backbone, embedding_size=6, batch_norm="trained")
    files = write_splits(tmp_path, classes=3, each=6)
    trained = train(
        settings, Training(epochs=1, learning_rate=0.5), 16, *files, tmp_path / "training"
    )
    backbone = trained.model.encoder.get_layer("backbone")
    first = build_backbone(settings, 16)  # a saved encoder's weights are those of the file
    pixels = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype("uint8")
    features = pooled_features(first)
    expected, learned = features(pixels).numpy(), pooled_features(backbone)(pixels).numpy()
    assert np.abs(learned - expected).max() > 1e-3
    backbone.load_weights(trained.snapshot.weights)
    exported = PretrainedEncoder(
        backbone, preprocess, 16, 1000, trained.snapshot.features, trained.support
    )
    exported.save(str(tmp_path / "exported"))
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    encoded = [tf.io.encode_png(p).numpy() for p in pixels]
    answer = loaded.signatures["embed"](image=tf.constant([*encoded, b"junk"]))
    np.testing.assert_allclose(answer["embedding"][:5], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(answer["pixels"][:5], pixels)
    assert answer["valid"].numpy().tolist() == [True] * 5 + [False]
    # The support images' features are those of the same encoder.
    of_support = features(trained.support.pixels)
    np.testing.assert_allclose(loaded.support.embeddings, of_support, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(loaded.support.pixels, trained.support.pixels)
    assert [x.decode() for x in loaded.support.labels.numpy()] == trained.support.labels.tolist()
    assert loaded.support.sources.numpy().tolist() == trained.support.sources


def test_large_weights_stay_variables(tmp_path):
    """As constants they take 12 times the memory, and longer to load."""
    backbone = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(512, 13)])
    assert backbone.count_params() * 4 > MOST_BYTES
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype("uint8")
    of_each = [b"a", b"b"]
    support = Images(
        pixels, np.array(["a", "b"]), of_each, of_each, of_each, of_each, np.array([0, 0])
    )
    embeddings = pooled_features(backbone)(pixels).numpy()
    PretrainedEncoder(backbone, preprocess, 16, 1000, embeddings, support).save(str(tmp_path))
    variables = dict(tf.train.list_variables(str(tmp_path / "variables/variables")))
    assert [13, 13, 3, 512] in variables.values()
    embed = tf.saved_model.load(str(tmp_path)).signatures["embed"]
    answer = embed(image=tf.constant([tf.io.encode_png(one).numpy() for one in pixels]))
    np.testing.assert_allclose(answer["embedding"], embeddings, rtol=1e-4, atol=1e-4)
