"""An untrained encoder for whole runs."""

from pathlib import Path


def write_encoder(path: Path) -> None:
    """Of 16-pixel images; it keeps enough of a picture to learn from."""
    import keras

    keras.utils.set_random_seed(0)
    keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
            keras.layers.AveragePooling2D(3),
            keras.layers.Flatten(),
        ]
    ).save(path)
