import keras
import pytest


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory) -> str:
    """A saved encoder of 16-pixel images, small enough for unit tests."""
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    path = tmp_path_factory.mktemp("backbone") / "tiny.keras"
    encoder.save(path)
    return str(path)
