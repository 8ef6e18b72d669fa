import json
import zipfile

import pytest

from pipeline.config.encoder_size import with_encoder_size


@pytest.fixture
def encoder(tmp_path):
    def write(content):
        path = tmp_path / "encoder.keras"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("config.json", content)
        return str(path)

    return write


def config_of(*shape):
    layers = [{"class_name": "InputLayer", "config": {"batch_shape": shape}}]
    return json.dumps({"class_name": "Functional", "config": {"layers": layers}})


def test_the_size_is_that_of_the_encoder(encoder):
    values = {"model": {"backbone": encoder(config_of(None, 96, 96, 3))}, "image": {"tiles": "1x1"}}
    with_encoder_size(values)
    assert values["image"] == {"tiles": "1x1", "size": 96}


def test_a_given_size_stays(encoder):
    values = {"model": {"backbone": encoder(config_of(None, 96, 96, 3))}, "image": {"size": 32}}
    with_encoder_size(values)
    assert values["image"] == {"size": 32}


@pytest.mark.parametrize(
    "content",
    [
        config_of(None, None, None, 3), config_of(None, 4, 6, 3), config_of(), "{}", "no JSON",
        '{"config": null}',
    ],
)  # fmt: skip
def test_where_the_size_is_not_known_the_default_stays(encoder, content):
    values = {"model": {"backbone": encoder(content)}}
    with_encoder_size(values)
    assert "image" not in values


@pytest.mark.parametrize("model", [None, "ResNet50", {}, {"backbone": "ResNet50"}])
def test_other_backbones_have_no_size(model):
    values = {"model": model}
    with_encoder_size(values)
    assert values == {"model": model}


def test_what_is_no_archive_is_left_to_the_loading(tmp_path):
    path = tmp_path / "broken.keras"
    path.write_bytes(b"not a model")
    values = {"model": {"backbone": str(path)}}
    with_encoder_size(values)
    assert "image" not in values


def test_keras_writes_it_there(tmp_path):
    import keras

    path = str(tmp_path / "encoder.keras")
    pixels = keras.Input((24, 24, 3))
    keras.Model(pixels, keras.layers.Flatten()(pixels)).save(path)
    values = {"model": {"backbone": path}}
    with_encoder_size(values)
    assert values["image"] == {"size": 24}
