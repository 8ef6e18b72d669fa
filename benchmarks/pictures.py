"""Labelled images of a folder, resized as in a run, for the benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

SIZE = 224


class Pictures(NamedTuple):
    """Pixels uint8 [n, 224, 224, 3] and classes, str [n]."""

    pixels: np.ndarray
    labels: np.ndarray


def read(folder: Path, each: int | None = None, classes: int | None = None) -> Pictures:
    """Return the images of a folder of class folders.

    Args:
        folder: Of the class folders.
        each: Images of each class at most; None: all.
        classes: Classes at most, evenly over the sorted names; None: all.
    """
    import tensorflow as tf

    from components.transform.pixels import decode_and_resize

    folders = sorted(one for one in folder.iterdir() if one.is_dir())
    if classes is not None:
        some = np.linspace(0, len(folders) - 1, min(classes, len(folders))).astype(int)
        folders = [folders[i] for i in np.unique(some)]
    paths = [path for one in folders for path in sorted(one.iterdir())[:each]]
    pixels = [decode_and_resize(tf.io.read_file(str(p)), SIZE, "cubic").numpy() for p in paths]
    return Pictures(np.stack(pixels), np.array([path.parent.name for path in paths]))


def drawn(labels: np.ndarray, each: int, seed: int) -> np.ndarray:
    """Return the indices of `each` images of each class."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.permutation(np.flatnonzero(labels == label))[:each] for label in np.unique(labels)]
    )
