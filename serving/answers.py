"""What a served model says of images."""

from __future__ import annotations

from typing import NamedTuple


class Comparison(NamedTuple):
    """What the model says of a pair.

    Attributes:
        similarity: In [0, 1]; NaN where the pair is not valid.
        same: Whether both images are of one class, by the model's own threshold.
        valid: Whether the model can use both images.
    """

    similarity: float
    same: bool
    valid: bool


class Classification(NamedTuple):
    """What the model says of an image.

    Attributes:
        label: The best class; empty where the image is not valid.
        known: Whether the image is of one of the classes at all, by the model's own threshold.
        scores: Each class's score in [-1, 1], best first.
        nearest: Files of the nearest support images, nearest first: the evidence.
        valid: Whether the model can use the image.
    """

    label: str
    known: bool
    scores: dict[str, float]
    nearest: list[str]
    valid: bool
