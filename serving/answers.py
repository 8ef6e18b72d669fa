"""Answers of a served model about images, and how they are read from its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import grpc
import numpy as np

from base.printable import text_of
from serving.serving_error import ServingError


class Comparison(NamedTuple):
    """The model's answer about a pair.

    Attributes:
        similarity: In [0, 1]; NaN if the pair is not valid.
        same: Whether both images are of the same class, by the threshold.
        valid: Whether the model can use both images.
        reason: Why it cannot, such as `too_many_pixels`; empty if it can.
        version: The model's version that answered; None if it did not say.
    """

    similarity: float
    same: bool
    valid: bool
    reason: str = ""
    version: int | None = None


class Classification(NamedTuple):
    """The model's answer about an image.

    Attributes:
        label: The best class; empty if the image is not valid.
        known: Whether the image is of any of the classes, by the threshold.
        scores: Score in [-1, 1] by class, best first.
        nearest: Files of the nearest support images, nearest first, as evidence;
            `serving.evidence` has their pictures.
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


class Embedding(NamedTuple):
    """The model's embedding of an image.

    Attributes:
        vector: float32 [d]; NaN if the image is not valid.
        valid: Whether the model can use the image.
        reason: Why it cannot, such as `too_many_pixels`; empty if it can.
    """

    vector: np.ndarray
    valid: bool
    reason: str = ""


def comparisons(
    outputs: Mapping[str, np.ndarray], version: int | None, same_threshold: float | None = None
) -> list[Comparison]:
    """Return the answers of signature `serving_default`.

    Args:
        outputs: By name.
        version: The version that answered.
        same_threshold: Least similarity to be the same; None: the model's own.

    Raises:
        ServingError: An output is missing.
    """
    similarities = output(outputs, "similarity")
    same = output(outputs, "same")
    if same_threshold is not None:
        same = similarities >= same_threshold
    columns = (similarities.tolist(), same.tolist(), output(outputs, "valid").tolist())
    return [
        Comparison(similarity, is_same, valid, reason, version)
        for similarity, is_same, valid, reason in zip(*columns, _reasons(outputs), strict=True)
    ]


def classifications(
    outputs: Mapping[str, np.ndarray], known_threshold: float | None = None
) -> list[Classification]:
    """Return the answers of signature `classify`.

    Args:
        outputs: By name.
        known_threshold: Least score of a known class; None: the model's own.

    Raises:
        ServingError: An output is missing.
    """
    scores = output(outputs, "scores")
    known = output(outputs, "known")
    if known_threshold is not None:
        known = scores[:, 0] >= known_threshold
    return [
        Classification(
            label=text_of(label),
            known=bool(known),
            scores=_by_class(classes, scores) if valid else {},
            nearest=[text_of(source) for source in nearest] if valid else [],
            valid=bool(valid),
            reason=reason,
            probabilities=_by_class(classes, probabilities) if valid else {},
        )
        for known, scores, probabilities, reason, label, classes, nearest, valid in zip(
            known,
            scores,
            outputs.get("probabilities", np.empty([len(scores), 0])),
            _reasons(outputs),
            *(output(outputs, name) for name in ("label", "classes", "nearest", "valid")),
            strict=True,
        )
    ]


def embeddings(outputs: Mapping[str, np.ndarray]) -> list[Embedding]:
    """Return the answers of signature `embed`.

    Raises:
        ServingError: An output is missing.
    """
    vectors, valid = output(outputs, "embedding"), output(outputs, "valid").tolist()
    return [Embedding(*row) for row in zip(vectors, valid, _reasons(outputs), strict=True)]


def refused_by_the_model(reason: str) -> str:
    """Return why a model cannot use an image.

    Args:
        reason: The model's answer; empty if it was exported before 0.3.
    """
    if reason == "too_many_pixels":
        return "has more pixels than data.max_pixels of the model's configuration allows"
    named = f" ({reason})" if reason else ""
    return (
        f"the model cannot use it{named}; by the configuration that the model was trained with, it "
        "has more pixels than data.max_pixels, does not contain image.region, or is of a depth "
        "without image.range"
    )


def output(outputs: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Return an output by its name.

    Raises:
        ServingError: It is missing.
    """
    try:
        return outputs[name]
    except KeyError:
        raise ServingError(
            f"the model does not answer with {name!r}; train the model again",
            grpc.StatusCode.FAILED_PRECONDITION,
        ) from None


def _by_class(classes: np.ndarray, numbers: np.ndarray) -> dict[str, float]:
    """Return numbers by class; nothing if a model has none."""
    return {text_of(name): float(number) for name, number in zip(classes, numbers, strict=False)}


def _reasons(outputs: Mapping[str, np.ndarray]) -> list[str]:
    """Return why each image is not valid; models exported before 0.3 do not say it."""
    return [text_of(each) for each in outputs.get("reason", [b""] * len(output(outputs, "valid")))]
