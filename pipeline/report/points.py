"""The embeddings of a run's images, as the Trainer and the Judge have left them.

The Trainer writes those of the training and validation images for TensorBoard
(`trainer.training.projector`), the Judge those of the test images (`embeddings/batches*`).
"""

from __future__ import annotations

import csv
import io
import os
from typing import NamedTuple

import numpy as np

from base.errors import StorageError
from judging.views import CANDIDATE
from pipeline.runs.history import Run
from records import features
from storage.file_systems import exists, is_folder, open_file
from storage.local_copies import tensorflow_path

UNKNOWN = "unknown"
"""In place of a split, of images of none of the classes."""


class Points(NamedTuple):
    """The embeddings of n images.

    Attributes:
        embeddings: float [n, d].
        labels: n classes; empty for an unknown image.
        splits: n splits, one of `features.SPLITS` or `UNKNOWN`.
        sources: n files; empty if the file is not known.
        ids: n ids of records; empty for training and validation images.
    """

    embeddings: np.ndarray
    labels: list[str]
    splits: list[str]
    sources: list[str]
    ids: list[str]

    def without(self, sources: set[str]) -> Points:
        """Return the images whose file is not among `sources`."""
        kept = [i for i, source in enumerate(self.sources) if source not in sources]
        columns = (self.labels, self.splits, self.sources, self.ids)
        return Points(self.embeddings[kept], *([column[i] for i in kept] for column in columns))


def read_points(run: Run) -> Points | None:
    """Return the embeddings of a run's images; None if there are none."""
    parts = []
    if model_run := run.output("Trainer", "model_run"):
        parts.append(_of_trainer(os.path.join(model_run.uri, "tensorboard")))
    if judgement := run.output("Judge", "judgement"):
        parts.append(_of_judge(os.path.join(judgement.uri, "embeddings")))
    found = [part for part in parts if part is not None and len(part.labels)]
    if not found:
        return None
    # With folds, the Judge has embedded the images that the Trainer has learned from.
    judged = {source for part in found for source, id_ in zip(part.sources, part.ids, strict=True)
              if id_}  # fmt: skip
    found = [part.without(judged) if not any(part.ids) else part for part in found]
    size = found[-1].embeddings.shape[1]
    found = [part for part in found if part.embeddings.shape[1] == size]
    rows, *columns = zip(*found, strict=True)
    return Points(np.concatenate(rows), *([x for part in c for x in part] for c in columns))


def _of_trainer(folder: str) -> Points | None:
    names, table = os.path.join(folder, "embeddings.tsv"), os.path.join(folder, "metadata.tsv")
    try:
        if not (exists(names) and exists(table)):
            return None
        with open_file(names) as file:
            rows = np.loadtxt(io.StringIO(file.read()), delimiter="\t", ndmin=2)
        with open_file(table) as file:
            told = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, StorageError, ValueError):
        return None
    if len(told) != len(rows):
        return None
    return Points(
        rows,
        [one["class"] for one in told],
        [one["split"] for one in told],
        [one.get("file") or "" for one in told],  # runs before 0.3 name none
        [""] * len(rows),
    )


def _of_judge(folder: str) -> Points | None:
    if not is_folder(folder):
        return None
    from components.judge.embedding_on_beam import read
    from storage.file_systems import glob

    with tensorflow_path(folder) as path:
        files = glob(os.path.join(path, "batches*"))
        if not files:
            return None
        images = read(files)
    rows = images.embeddings.get(CANDIDATE)
    if rows is None:
        return None
    kept = images.valid & np.isfinite(rows).all(axis=1)
    return Points(
        rows[kept],
        images.labels[kept].tolist(),
        [UNKNOWN if one else features.TEST for one in images.unknown[kept]],
        images.sources[kept].tolist(),
        images.ids[kept].tolist(),
    )
