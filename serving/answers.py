"""Answers of a served model about images."""

from __future__ import annotations

from typing import NamedTuple


class Comparison(NamedTuple):
    """The model's answer about a pair.

    Attributes:
        similarity: In [0, 1]; NaN if the pair is not valid.
        same: Whether both images are of the same class, by the threshold.
        valid: Whether the model can use both images.
        reason: Why it cannot, such as `too_many_pixels`; empty if it can.
    """

    similarity: float
    same: bool
    valid: bool
    reason: str = ""


class Classification(NamedTuple):
    """The model's answer about an image.

    Attributes:
        label: The best class; empty if the image is not valid.
        known: Whether the image is of any of the classes, by the threshold.
        scores: Score in [-1, 1] by class, best first.
        nearest: Files of the nearest support images, nearest first, as evidence.
        valid: Whether the model can use the image.
        reason: Why it cannot, such as `too_many_pixels`; empty if it can.
        probabilities: Calibrated probability by class, best first; they add up to 1 among the known
            classes. Empty if the image is not valid or the model was exported before 0.3.
    """

    label: str
    known: bool
    scores: dict[str, float]
    nearest: list[str]
    valid: bool
    reason: str = ""
    probabilities: dict[str, float] = {}
