"""Answers of a served model about images."""

from __future__ import annotations

from typing import NamedTuple


class Comparison(NamedTuple):
    """The model's answer about a pair.

    Attributes:
        similarity: In [0, 1]; NaN if the pair is not valid.
        same: Whether both images are of the same class, by the model's own threshold.
        valid: Whether the model can use both images.
    """

    similarity: float
    same: bool
    valid: bool


class Classification(NamedTuple):
    """The model's answer about an image.

    Attributes:
        label: The best class; empty if the image is not valid.
        known: Whether the image is of any of the classes, by the model's own threshold.
        scores: Score in [-1, 1] by class, best first.
        nearest: Files of the nearest support images, nearest first, as evidence.
        valid: Whether the model can use the image.
    """

    label: str
    known: bool
    scores: dict[str, float]
    nearest: list[str]
    valid: bool
