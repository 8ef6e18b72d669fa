import keras
import numpy as np
import pytest

from trainer.backbone import build_backbone
from trainer.errors import BackboneError, WeightsError


def test_normalization_is_inside():
    backbone = build_backbone("MobileNetV2", "none", 32)
    network = next(layer for layer in backbone.layers if isinstance(layer, keras.Model))
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    expected = network(keras.applications.mobilenet_v2.preprocess_input(image.copy()))
    np.testing.assert_allclose(backbone(image), expected, rtol=1e-4, atol=1e-5)


def test_batch_norm_momentum_reaches_every_layer():
    backbone = build_backbone("MobileNetV2", "none", 32, batch_norm_momentum=0.7)
    network = next(layer for layer in backbone.layers if isinstance(layer, keras.Model))
    momenta = {
        layer.momentum
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert momenta == {0.7}


def test_an_unknown_backbone_names_the_nearest():
    with pytest.raises(BackboneError, match=r"'Resnet50'.*did you mean 'ResNet50'"):
        build_backbone("Resnet50", "none", 32)


def test_too_small_images_name_the_setting():
    with pytest.raises(BackboneError, match=r"'ResNet50'.*image\.size 16"):
        build_backbone("ResNet50", "none", 16)


def test_weights_without_a_network_are_one_sentence(monkeypatch):
    def no_network(**_):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.applications.resnet, "ResNet50", no_network)
    monkeypatch.setattr(keras.applications, "ResNet50", no_network)
    with pytest.raises(WeightsError, match=r"ResNet50 could not be downloaded.*model\.weights"):
        build_backbone("ResNet50", "imagenet", 32)


def test_weights_from_a_file(tmp_path):
    path = str(tmp_path / "some.weights.h5")
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    network.save_weights(path)
    loaded = build_backbone("MobileNetV2", path, 32)
    for ours, theirs in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_of_another_architecture(tmp_path):
    path = str(tmp_path / "other.weights.h5")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(WeightsError, match="does not fit MobileNetV2"):
        build_backbone("MobileNetV2", path, 32)


def test_missing_weights_file():
    with pytest.raises(WeightsError, match=r"nowhere\.h5.*no such file"):
        build_backbone("MobileNetV2", "nowhere.h5", 32)


def test_a_saved_encoder(tiny_backbone):
    assert build_backbone(tiny_backbone, "none", 16).output_shape == (None, 8)


def test_a_saved_encoder_of_another_size(tiny_backbone):
    with pytest.raises(BackboneError, match=r"set image\.size to 16"):
        build_backbone(tiny_backbone, "none", 32)


def test_a_missing_or_broken_saved_encoder(tmp_path):
    with pytest.raises(BackboneError, match="no such file"):
        build_backbone(str(tmp_path / "none.keras"), "none", 16)
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"not a model")
    with pytest.raises(BackboneError, match="not a saved Keras model"):
        build_backbone(str(broken), "none", 16)
