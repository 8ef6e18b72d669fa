"""A small exported model of 16-pixel images, whose embeddings are the images' own colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from made_once import made_once
from sample_images import picture

from components.transform.pixels import decode_and_resize
from judging.thresholds import CalibratedThresholds
from records.scored_by import ScoredBy
from trainer.export.signatures import ServedModel
from trainer.export.support_set import SupportSet
from trainer.export.warmup import write_warmup
from trainer.network.siamese import Siamese
from trainer.settings import Model, Training

SIZE = 16
SPREAD = 60
MAX_PIXELS = 5000


def preprocess(encoded: tf.Tensor) -> tf.Tensor:
    """In the place of Transform's graph."""
    return tf.map_fn(
        lambda one: tf.io.serialize_tensor(decode_and_resize(one, SIZE, "cubic")), encoded
    )


def pixels(label: int, numbers: Sequence[int]) -> np.ndarray:
    """uint8 [n, 16, 16, 3], pictures of a label."""
    return np.stack([np.asarray(picture(label, number, SIZE, SPREAD)) for number in numbers])


def write_images(folder: Path, label: int, numbers: Sequence[int]) -> Path:
    """The same as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture(label, number, SIZE, SPREAD).save(folder / f"{number}.png")
    return folder


def make_model(folder: Path, embedding_size: int | None = None) -> Siamese:
    """A network that needs no training; `folder` is for its encoder."""
    keras.utils.set_random_seed(0)
    keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
        ]
    ).save(folder / "encoder.keras")
    settings = Model(backbone=str(folder / "encoder.keras"), embedding_size=embedding_size)
    return Siamese(settings, Training(), SIZE)


def export(
    model: Siamese,
    version: Path,
    classes: int = 3,
    each: int = 4,
    scored_by: ScoredBy = "cosine",
) -> None:
    """Write a version: classes `class-0`, ... of `each` support images, and requests to warm up."""
    embeddings = np.concatenate([np.asarray(model(pixels(i, range(each)))) for i in range(classes)])
    labels = np.repeat([f"class-{i}" for i in range(classes)], each)
    sources = [f"{label}/{i % each}.png".encode() for i, label in enumerate(labels)]
    support = SupportSet(embeddings, labels, sources, scored_by)
    seen = np.array([1, 2], "int64")  # keys of no image
    served = ServedModel(
        model, preprocess, SIZE, MAX_PIXELS, support, CalibratedThresholds(0.5, 0.6), seen
    )
    served.save(str(version))
    write_warmup(str(version), SIZE)


def exported_once(tmp_path_factory) -> Path:
    """Return a version of `make_model`, which is exported once for all tests; not to be changed."""

    def make(folder: Path) -> None:
        export(make_model(folder), folder / "1")

    return made_once(tmp_path_factory, "exported", make) / "1"
