"""Trains the recipe of a frozen encoder on images in memory, for the benchmarks."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pictures import SIZE
from benchmarks.splits import as_bytes, write_split


def train(pixels: np.ndarray, labels: np.ndarray, encoder: Path, seed: int, **settings: Any) -> Any:
    """Return what the Trainer exports. A quarter of the images is for validation.

    Args:
        pixels: uint8 [n, 224, 224, 3].
        labels: str [n].
        encoder: A Keras model.
        seed: Of the pairs and of the training.
        settings: More of `training:`.
    """
    from records.pair_sampling import class_balanced, held_out_pairs
    from trainer.recipe.ladder import train_by_recipe
    from trainer.settings import Model, Training

    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        held_out[np.flatnonzero(labels == label)[::4]] = True
    (x, y), (vx, vy) = ((pixels[part], labels[part].tolist()) for part in (~held_out, held_out))
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        root, blocks = Path(place), class_balanced(as_bytes(y), len(set(y)), 2, 2, seed)
        return train_by_recipe(
            Model(backbone=str(encoder.resolve())),
            Training(recipe="frozen_encoder", **settings),
            SIZE,
            write_split(root / "train.tfrecord", x, y, blocks),
            write_split(
                root / "held.tfrecord", vx, vy, held_out_pairs(as_bytes(vy), 16, 500, seed)
            ),
            root / "training",
            seed,
        )
