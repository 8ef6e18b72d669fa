"""An exported model as a device runs it, for the Judge: the files of `siamese export`."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np

from components.judge.exported_model import Embedded, JudgedModel
from judging.classifier import Support
from serving.edge import classify


class EdgeModel(JudgedModel):
    """Embeds by an export's own script and networks; all else is the served model's.

    Args:
        directory: Of the served model.
        folder: Of the export.
        support: The labelled images, as the export's networks embed them.
    """

    def __init__(self, directory: str, folder: Path, support: Support) -> None:
        super().__init__(directory)
        self._model = classify.Model(folder)
        self.__dict__["support"] = support  # a cached property

    def embed(self, images: list[bytes]) -> Embedded:
        """Return embeddings of encoded images."""
        rows = [self._one(image) for image in images]
        valid = np.array([row is not None for row in rows])
        size = self.support.embeddings.shape[1]
        nothing = np.full(size, math.nan, "float32")
        return Embedded(np.stack([nothing if row is None else row for row in rows]), valid, None)

    def _one(self, image: bytes) -> np.ndarray | None:
        try:
            return self._model.embed(io.BytesIO(image))
        except (OSError, SyntaxError, ValueError):
            return None


def cosine_calibration(model: JudgedModel) -> dict[str, float]:
    """Return `scale` and `offset` of a logistic function of the cosine; else nothing."""
    size = model.support.embeddings.shape[1]
    left, right = np.zeros((2, 3, size), "float32")
    left[:, 0], cosines = 1, np.array([0.0, 0.2, 0.4])
    right[:, 0], right[:, 1] = cosines, np.sqrt(1 - cosines**2)
    similarity = model.similarity(left, right).astype("float64")
    with np.errstate(divide="ignore"):
        logits = np.log(similarity / (1 - similarity))
    scale, offset = (logits[1] - logits[0]) / 0.2, logits[0]
    if not np.isfinite(logits).all() or abs(logits[0] + 0.4 * scale - logits[2]) > 0.05:
        return {}
    return {"scale": float(scale), "offset": float(offset)}
