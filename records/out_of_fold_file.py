"""The file of the out-of-fold results, which an exported model brings along.

TensorFlow Serving ignores it. By it, a later model is compared on images that both learned from.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping

import numpy as np

from records import scored_by
from records.out_of_fold import FoldModel, OutOfFold
from storage.file_systems import exists, is_remote, open_file

FILE = "assets.extra/out_of_fold.npz"


def write_out_of_fold(found: OutOfFold, folder: str) -> None:
    """Write `FILE` into the folder of a SavedModel, local or an address."""
    arrays = {name: value for name, value in found._asdict().items() if name != "models"}
    for number, model in enumerate(found.models):
        arrays |= {f"model {number} {name}": value for name, value in model._asdict().items()}
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(value) for name, value in arrays.items()})
    path = os.path.join(folder, FILE)
    if not is_remote(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open_file(path, "wb") as file:
        file.write(buffer.getvalue())


def read_out_of_fold(folder: str) -> OutOfFold | None:
    """Return what `write_out_of_fold` wrote; None if the model has learned without folds."""
    path = os.path.join(folder, FILE)
    if not exists(path):
        return None
    with open_file(path, "rb") as file, np.load(io.BytesIO(file.read())) as saved:
        arrays = {name: saved[name] for name in saved.files}
    count = len({name.split()[1] for name in arrays if name.startswith("model ")})
    models = tuple(_model(arrays, f"model {i} ") for i in range(count))
    numbers = {name: float(arrays[name]) for name in ("same", "known")}
    columns = {name: arrays[name] for name in OutOfFold._fields if name in arrays}
    return OutOfFold(**{**columns, **numbers, "models": models})


def _model(arrays: Mapping[str, np.ndarray], prefix: str) -> FoldModel:
    numbers = {name: float(arrays[prefix + name]) for name in ("same", "known", "scale", "offset")}
    by = arrays.get(f"{prefix}scored_by")
    return FoldModel(
        arrays[f"{prefix}support"],
        arrays[f"{prefix}support_embeddings"],
        **numbers,
        scored_by=scored_by.read(None if by is None else str(by)),
    )
