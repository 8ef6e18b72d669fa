import keras
import pytest
from pair_files import write_splits


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with pairs of easy classes for training and validation."""
    folder = tmp_path_factory.mktemp("pairs")
    write_splits(folder, classes=3, each=6, passes=2, spread=60)
    return folder


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
