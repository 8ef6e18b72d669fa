"""KerasHub's DINOv2 and DINOv3: tiny networks of the same classes, as presets in Kaggle's place."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from pair_files import write_splits

from components.transform.pixels import decode_and_resize
from trainer.errors import BackboneError, WeightsError
from trainer.export.signatures import ServedModel
from trainer.export.support_set import SupportSet
from trainer.network.backbone import build_backbone, set_trainable
from trainer.recipe.ladder import train_by_recipe
from trainer.settings import Model, Training

hub = pytest.importorskip(
    "keras_hub", reason="the extra keras-hub, which dev has from Python 3.11 on, is not installed"
)

IMAGENET = ([1 / 255 / s for s in (0.229, 0.224, 0.225)], [-2.118, -2.036, -1.804])
SATELLITE = ([1 / 255 / s for s in (0.213, 0.156, 0.143)], [-2.019, -2.635, -2.070])
PRESETS = {"dinov2_small": 28, "dinov3_vit_large_sat493m": 32}
"""And the size of their images in these tests."""


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    """A folder of presets, by the names of real ones."""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("presets")
    # Pretrained at another size, as the real one is.
    dino2 = hub.models.DINOV2Backbone(14, 2, 16, 2, 32, position_embedding_shape=(56, 56))
    dino3 = hub.models.DINOV3Backbone(16, 2, 16, 2, 32, image_shape=(64, 64, 3))
    networks = [(dino2, hub.layers.DINOV2ImageConverter, IMAGENET),
                (dino3, hub.layers.DINOV3ImageConverter, SATELLITE)]  # fmt: skip
    for name, (network, converter, (scale, offset)) in zip(PRESETS, networks, strict=True):
        network.save_to_preset(str(folder / name))
        converter(scale=scale, offset=offset).save_to_preset(str(folder / name))
    return folder


@pytest.fixture(autouse=True)
def kaggle(presets, monkeypatch):
    """Downloads come from the folder."""

    def download(handle, path):
        file = presets / handle.split("/")[3] / path
        if not file.is_file():
            raise FileNotFoundError(path)
        return str(file)

    monkeypatch.setattr("kagglehub.model_download", download)


def build(name="dinov2_small", size=None, **settings):
    return build_backbone(Model(backbone=name, **settings), size or PRESETS[name])


def pictures(size, count=4):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype("float32")


@pytest.mark.parametrize("name", PRESETS)
def test_the_class_token_of_pixels_normalized_as_the_preset_says(name, presets):
    size, (scale, offset) = PRESETS[name], SATELLITE if "sat" in name else IMAGENET
    backbone = build(name)
    assert backbone.output_shape == (None, 16)
    tokens = hub.models.Backbone.from_preset(str(presets / name), image_shape=(size, size, 3))
    normalized = pictures(size) * scale + offset
    expected = tokens(dict.fromkeys(tokens.input, normalized))[:, 0]
    np.testing.assert_allclose(backbone(pictures(size)), expected, atol=1e-4)


def test_without_weights_the_network_is_random():
    assert not np.allclose(build()(pictures(28)), build(weights="none")(pictures(28)))


@pytest.mark.parametrize("name", PRESETS)
def test_what_was_trained_is_what_is_saved(name, tmp_path):
    """KerasHub saves positions at the pretraining's size, so they must not be trained."""
    settings, size = Model(backbone=name), PRESETS[name]
    backbone = build(name)
    before = [np.array(w) for w in backbone.trainable_weights]
    model = keras.Sequential([backbone, keras.layers.Dense(2)])
    for share in (0, 1):
        set_trainable(backbone, share, settings)
        model.compile("sgd", "mse")
        model.fit(pictures(size), np.ones((4, 2)), verbose=0)
    after = backbone.trainable_weights
    changed = [not np.allclose(a, b) for a, b in zip(before, after, strict=True)]
    assert np.mean(changed) > 0.8  # all but the token for masked patches and biases of keys
    answers = np.asarray(backbone(pictures(size)))
    backbone.save_weights(tmp_path / "best.weights.h5")
    backbone.save(tmp_path / "encoder.keras")
    other = build(name)
    other.load_weights(tmp_path / "best.weights.h5")
    np.testing.assert_allclose(other(pictures(size)), answers, atol=1e-5)
    # The trained encoder of a run can be the next one's.
    again = build_backbone(Model(backbone=str(tmp_path / "encoder.keras")), size)
    np.testing.assert_allclose(again(pictures(size)), answers, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "recipe"), zip(PRESETS, ("fine_tuned", "frozen_encoder"), strict=True)
)
def test_a_model_is_trained_and_served(name, recipe, tmp_path):
    train, validation = write_splits(tmp_path / "pairs", each=4, size=PRESETS[name], spread=60)
    trained = train_by_recipe(
        Model(backbone=name, embedding_size=8),
        Training(recipe=recipe, views=1, epochs=1, augmentation=None),
        PRESETS[name],
        train,
        validation,
        tmp_path / "training",
    )
    support, size = trained.support, PRESETS[name]

    def preprocess(encoded):
        return tf.map_fn(
            lambda one: tf.io.serialize_tensor(decode_and_resize(one, size, "cubic")), encoded
        )

    served = ServedModel(
        trained.model,
        preprocess,
        size,
        5000,
        SupportSet(trained.support_embeddings, support.labels, support.sources),
        trained.thresholds,
        trained.training_keys,
    )
    served.save(str(tmp_path / "1"))
    pixels = support.pixels[:3]
    expected = np.asarray(trained.model.encoder(pixels.astype("float32"), training=False))
    embed = tf.saved_model.load(str(tmp_path / "1")).signatures["embed"]
    answers = embed(image=tf.constant([tf.io.encode_png(one).numpy() for one in pixels]))
    np.testing.assert_allclose(answers["embedding"], expected, atol=1e-4)


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(BackboneError, match=r"not in KerasHub; did you mean 'dinov2_small'"):
        build("dinov2_smal", 28)


def test_images_of_another_size_name_the_setting():
    with pytest.raises(BackboneError, match=r"image\.size 30 .*set it to 28 or 42"):
        build(size=30)


def test_without_a_network_connection_the_way_out_is_named(monkeypatch):
    def offline(handle, path):
        raise OSError("no route to host")

    monkeypatch.setattr("kagglehub.model_download", offline)
    with pytest.raises(WeightsError, match=r"not load dinov2_small.*no route.*encoder\.keras"):
        build()


def test_a_file_of_weights_is_refused():
    with pytest.raises(WeightsError, match=r"model\.weights 'some\.h5'.*'imagenet'"):
        build(weights="some.h5")
