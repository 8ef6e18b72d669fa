import inspect

import keras
import numpy as np
import pytest

from trainer.errors import BackboneError, WeightsError
from trainer.network import backbone as backbone_module
from trainer.network.backbone import LAST_BLOCKS, build_backbone, set_trainable
from trainer.settings import Model


def test_normalization_is_inside():
    backbone = build_backbone(Model(backbone="MobileNetV2", weights="none"), 32)
    network = next(layer for layer in backbone.layers if isinstance(layer, keras.Model))
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    expected = network(keras.applications.mobilenet_v2.preprocess_input(image.copy()))
    np.testing.assert_allclose(backbone(image), expected, rtol=1e-4, atol=1e-5)


def test_all_models_of_keras_applications_have_their_normalization():
    names = [name for name, one in vars(keras.applications).items() if inspect.isfunction(one)]
    assert len(names) >= 38
    for name in names:
        constructor, normalize = backbone_module._application(name)
        assert constructor is getattr(keras.applications, name)
        assert normalize.__name__ == "preprocess_input"


def test_a_network_that_normalizes_by_itself_gets_the_pixels():
    backbone = build_backbone(Model(backbone="MobileNetV3Small", weights="none"), 32)
    network = next(layer for layer in backbone.layers if isinstance(layer, keras.Model))
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(backbone(image), network(image), rtol=1e-4, atol=1e-5)


def test_batch_norm_momentum_reaches_every_layer():
    backbone = build_backbone(
        Model(backbone="MobileNetV2", weights="none", article={"batch_norm_momentum": 0.7}), 32
    )
    network = next(layer for layer in backbone.layers if isinstance(layer, keras.Model))
    momenta = {
        layer.momentum
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert momenta == {0.7}


def batch_norms(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from batch_norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            yield layer


@pytest.mark.parametrize(
    ("settings", "frozen"),
    [
        ({"batch_norm": "auto", "weights": "none"}, False),
        ({"batch_norm": "frozen", "weights": "none"}, True),
        ({"batch_norm": "auto"}, True),
        ({"batch_norm": "trained"}, False),
    ],
)
def test_batch_norm_of_a_pretrained_backbone_keeps_its_statistics(tmp_path, settings, frozen):
    if "weights" not in settings:
        settings["weights"] = str(tmp_path / "some.weights.h5")
        keras.applications.MobileNetV2(
            include_top=False, weights=None, input_shape=(32, 32, 3)
        ).save_weights(settings["weights"])
    chosen = Model(backbone="MobileNetV2", **settings)
    backbone = build_backbone(chosen, 32)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("float32")
    before = [np.array(layer.moving_mean) for layer in batch_norms(backbone)]
    backbone(images, training=True)
    after = [np.array(layer.moving_mean) for layer in batch_norms(backbone)]
    moved = any(not np.array_equal(b, a) for b, a in zip(before, after, strict=True))
    assert moved == (not frozen)
    set_trainable(backbone, 0, chosen)
    assert not backbone.trainable_weights
    set_trainable(backbone, 1, chosen)
    assert all(layer.trainable != frozen for layer in batch_norms(backbone))


def test_the_last_blocks_are_a_third_of_the_layers_with_weights():
    settings = Model(backbone="MobileNetV2", weights="none")
    backbone = build_backbone(settings, 32)
    [network] = [layer for layer in backbone.layers if isinstance(layer, keras.Model)]
    layers = [layer for layer in network.layers if layer.weights]
    set_trainable(backbone, LAST_BLOCKS, settings)
    trained = [layer.trainable for layer in layers]
    assert trained == sorted(trained)
    assert sum(trained) == -(-len(layers) // 3)
    # Statistics of the frozen ones stay, too.
    first, *_, last = [np.array(layer.moving_mean) for layer in batch_norms(backbone)]
    backbone(np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)), training=True)
    new_first, *_, new_last = [np.array(layer.moving_mean) for layer in batch_norms(backbone)]
    np.testing.assert_array_equal(first, new_first)
    assert not np.array_equal(last, new_last)


def test_conv4_pools_four_times_and_has_no_imagenet_weights():
    conv4 = Model(backbone="Conv4", weights="none")
    assert build_backbone(conv4, 28).output_shape == (None, 1, 1, 64)
    with pytest.raises(BackboneError, match="at least 16"):
        build_backbone(conv4, 15)
    with pytest.raises(WeightsError, match=r"no ImageNet weights of Conv4.*'none'"):
        build_backbone(Model(backbone="Conv4"), 28)


def test_an_unknown_backbone_names_the_nearest():
    with pytest.raises(BackboneError, match=r"'Resnet50'.*did you mean 'ResNet50'"):
        build_backbone(Model(backbone="Resnet50", weights="none"), 32)


def test_too_small_images_name_the_setting():
    with pytest.raises(BackboneError, match=r"'ResNet50'.*image\.size 16"):
        build_backbone(Model(backbone="ResNet50", weights="none"), 16)


def test_weights_without_a_network_connection_are_explained(monkeypatch):
    def no_network(**_):
        raise OSError("URL fetch failure")

    no_network.__module__ = keras.applications.ResNet50.__module__
    monkeypatch.setattr(keras.applications, "ResNet50", no_network)
    with pytest.raises(WeightsError, match=r"ResNet50 could not be downloaded.*model\.weights"):
        build_backbone(Model(backbone="ResNet50", weights="imagenet"), 32)


def test_weights_from_a_file(tmp_path):
    path = str(tmp_path / "some.weights.h5")
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    network.save_weights(path)
    loaded = build_backbone(Model(backbone="MobileNetV2", weights=path), 32)
    for ours, theirs in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_of_another_architecture(tmp_path):
    path = str(tmp_path / "other.weights.h5")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(WeightsError, match="does not fit MobileNetV2"):
        build_backbone(Model(backbone="MobileNetV2", weights=path), 32)


def test_missing_weights_file():
    with pytest.raises(WeightsError, match=r"nowhere\.h5.*no such file"):
        build_backbone(Model(backbone="MobileNetV2", weights="nowhere.h5"), 32)


def test_a_saved_encoder_ends_before_its_global_average(tiny_backbone):
    """So that its places can be told apart; the network takes the average."""
    backbone = build_backbone(Model(backbone=tiny_backbone, weights="none"), 16)
    assert backbone.output_shape == (None, 7, 7, 8)


def test_a_saved_encoder_of_another_size(tiny_backbone):
    with pytest.raises(BackboneError, match=r"set image\.size to 16"):
        build_backbone(Model(backbone=tiny_backbone, weights="none"), 32)


def test_a_missing_or_broken_saved_encoder(tmp_path):
    with pytest.raises(BackboneError, match="no such file"):
        build_backbone(Model(backbone=str(tmp_path / "none.keras"), weights="none"), 16)
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"not a model")
    with pytest.raises(BackboneError, match="not a Keras model that can be loaded"):
        build_backbone(Model(backbone=str(broken), weights="none"), 16)


def saved(tmp_path, shape, body):
    """The path of a saved encoder with a body after its input."""
    pixels = keras.Input(shape)
    path = str(tmp_path / "encoder.keras")
    keras.Model(pixels, body(pixels)).save(path)
    return path


def vectors(pixels):
    return keras.layers.GlobalAveragePooling2D()(pixels)


@pytest.mark.parametrize(("pooling", "size"), [("avg", 3), ("max", 3), ("flatten", 48)])
def test_tokens_of_a_saved_encoder_are_pooled(tmp_path, pooling, size):
    path = saved(tmp_path, (4, 4, 3), keras.layers.Reshape((16, 3)))
    backbone = build_backbone(Model(backbone=path, pooling=pooling), 4)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 4, 4, 3)).astype("float32")
    tokens = pixels.reshape(2, 16, 3)
    expected = {"avg": tokens.mean(1), "max": tokens.max(1), "flatten": tokens.reshape(2, -1)}
    assert backbone.output_shape == (None, size)
    np.testing.assert_allclose(backbone(pixels), expected[pooling], rtol=1e-5)


@pytest.mark.parametrize("limits", [(0, 1), (-1, 1)])
def test_a_saved_encoder_takes_other_values(tmp_path, limits):
    path = saved(tmp_path, (None, None, 3), vectors)
    backbone = build_backbone(Model(backbone=path, value_range=limits, pooling="max"), 4)
    for grey, expected in zip((0, 255), limits, strict=True):
        pixels = np.full((1, 4, 4, 3), grey, "float32")
        np.testing.assert_allclose(backbone(pixels), [[expected] * 3], atol=1e-6)


def test_a_saved_encoder_takes_grey_images(tmp_path):
    path = saved(tmp_path, (4, 4, 1), vectors)
    backbone = build_backbone(Model(backbone=path, pooling="max"), 4)
    green = np.zeros((1, 4, 4, 3), "float32")
    green[..., 1] = 200
    np.testing.assert_allclose(backbone(green), [[0.587 * 200]], rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "body", "message"),
    [
        ((3, 4, 4), vectors, "takes 4 channels in the last place"),
        ((4, 6, 3), vectors, "4 x 6 pixels; images here are square"),
        ((16,), keras.layers.Dense(2), r"takes inputs of shapes \[\(None, 16\)\]"),
        ((4, 4, 3), lambda one: [vectors(one), one], "needs one output"),
    ],
)
def test_why_a_saved_encoder_cannot_be_used(tmp_path, shape, body, message):
    path = saved(tmp_path, shape, body)
    with pytest.raises(BackboneError, match=message):
        build_backbone(Model(backbone=path), 4)
