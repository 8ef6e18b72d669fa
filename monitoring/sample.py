"""The answers of one version in a period, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from traffic.rows import Answer


class Sample(NamedTuple):
    """m answers about valid images.

    Attributes:
        predicted: str [m], the best classes.
        scores: float64 [m], of these.
        margins: float64 [m], the best score less the second; NaN with one class.
        known: bool [m], whether the model takes the image for one of a known class.
        digests: str [m], SHA-256 of the files; empty if they were not sent as files.
        embeddings: float32 [m, d]; None if not all answers have one.
    """

    predicted: np.ndarray
    scores: np.ndarray
    margins: np.ndarray
    known: np.ndarray
    digests: np.ndarray
    embeddings: np.ndarray | None

    def only(self, images: np.ndarray) -> Sample:
        """Return some of the answers, bool [m]."""
        rows = None if self.embeddings is None else self.embeddings[images]
        return Sample(*(column[images] for column in self[:-1]), embeddings=rows)


def sample(answers: Sequence[Answer]) -> Sample:
    """Return the last answer about each image; invalid images have none.

    The same file asked about again says nothing new, so it counts once.
    """
    last: dict[str | int, Answer] = {}
    for number, answer in enumerate(answers):
        if answer.valid and np.isfinite(answer.score):
            last[answer.digest or number] = answer
    kept = list(last.values())
    rows = [one.embedding for one in kept if one.embedding is not None]
    whole = len(rows) == len(kept) > 0 and len({len(row) for row in rows}) == 1
    return Sample(
        np.array([one.label for one in kept], str),
        np.array([one.score for one in kept], "float64"),
        np.array([one.margin for one in kept], "float64"),
        np.array([one.known for one in kept], bool),
        np.array([one.digest for one in kept], str),
        np.stack(rows) if whole else None,
    )
