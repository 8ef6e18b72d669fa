"""The answers of one version in a period, as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from traffic.rows import Answer


class Sample(NamedTuple):
    """m images that a version was asked about.

    Attributes:
        predicted: str [m], the best classes.
        scores: float64 [m], of these.
        margins: float64 [m], the best score less the second; NaN with one class.
        known: bool [m], whether the model takes the image for one of a known class.
        embedded: bool [m], which have an embedding.
        embeddings: float32 [k, d], of these, in their order.
    """

    predicted: np.ndarray
    scores: np.ndarray
    margins: np.ndarray
    known: np.ndarray
    embedded: np.ndarray
    embeddings: np.ndarray

    def only(self, images: np.ndarray) -> Sample:
        """Return some of the images, bool [m]."""
        columns = {name: one[images] for name, one in self._asdict().items() if name in _OF_ALL}
        return Sample(**columns, embeddings=self.embeddings[images[self.embedded]])


_OF_ALL = Sample._fields[:-1]


def sample(answers: Sequence[Answer]) -> Sample:
    """Return the images of some answers, oldest first; invalid images are left out.

    The same file asked about again says nothing new: only its last answer counts.
    """
    last: dict[str | int, Answer] = {}
    for number, answer in enumerate(answers):
        if answer.valid and np.isfinite(answer.score):
            last[answer.digest or number] = answer
    kept = list(last.values())
    sizes = Counter(len(one.embedding) for one in kept if one.embedding is not None)
    size = sizes.most_common(1)[0][0] if sizes else 0
    embedded = [one.embedding is not None and len(one.embedding) == size for one in kept]
    rows = [one.embedding for one, whole in zip(kept, embedded, strict=True) if whole]
    return Sample(
        np.array([one.label for one in kept], str),
        np.array([one.score for one in kept], "float64"),
        np.array([one.margin for one in kept], "float64"),
        np.array([one.known for one in kept], bool),
        np.array(embedded, bool),
        np.array(rows, "float32").reshape(len(rows), size),
    )
