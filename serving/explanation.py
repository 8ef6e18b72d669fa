"""Which places of an image speak for an answer: the signature `explain`, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import grpc
import numpy as np

from base.printable import text_of
from serving.answers import output
from serving.query_image import QueryImage, canonical_query
from serving.serving_error import ServingError


class Explanation(NamedTuple):
    """Which places of an image speak for its class, or for its being the same as another image.

    Attributes:
        map: float32 [rows, columns], of the picture's cells; positive: the place speaks for the
            class, or for "same"; negative: against it. The mean of the map is `score`. By
            occlusion: the score less what it is with the place covered, and the mean means nothing.
        score: Of the class, in [-1, 1] as `classify` returns it; of a pair, the cosine of both
            embeddings; by occlusion, the similarity of the pair in [0, 1].
        label: The class; empty for a pair.
        picture: PNG of what the network sees of the image, which the map covers.
        other_map: The same as `map` for the other image of a pair; None for a class.
        other_picture: PNG of the other image; None for a class.
        exact: Whether the map's mean is the score; False: by occlusion.
    """

    map: np.ndarray
    score: float
    label: str
    picture: bytes
    other_map: np.ndarray | None = None
    other_picture: bytes | None = None
    exact: bool = True


def explain_inputs(
    image: QueryImage, other: QueryImage | None, label: str
) -> dict[str, list[bytes]]:
    """Return the inputs of the signature `explain`.

    Raises:
        ImageError: An image cannot be read.
        ValueError: Both another image and a class are given.
    """
    if other is not None and label:
        raise ValueError("give another image or a label, not both")
    return {
        "image": [canonical_query(image)],
        "other": [b"" if other is None else canonical_query(other)],
        "label": [label.encode()],
    }


def explanation(outputs: Mapping[str, np.ndarray]) -> Explanation:
    """Return the answer of the signature `explain` about one image.

    Raises:
        ServingError: The image cannot be used, there is no such class, or an output is missing.
    """
    [valid], [reason] = output(outputs, "valid"), output(outputs, "reason")
    if not valid:
        raise unusable(text_of(reason))
    [values], [score], [label] = (output(outputs, name) for name in ("map", "score", "label"))
    [picture], [other] = (output(outputs, f"{name}picture_bytes") for name in ("", "other_"))
    [other_values] = output(outputs, "other_map")
    return Explanation(
        values,
        float(score),
        text_of(label),
        picture,
        other_values if other else None,
        other or None,
    )


def unusable(reason: str) -> ServingError:
    """Return the error about an image that the model cannot use.

    Args:
        reason: The model's.
    """
    why = "there is no such class" if reason == "no_such_class" else f"cannot use it ({reason})"
    return ServingError(f"the model cannot explain the image: {why}", _INVALID)


def has_no_explain(error: ServingError) -> bool:
    """Return whether an error says that the model has no signature `explain`."""
    return error.code == grpc.StatusCode.FAILED_PRECONDITION and "explain" in str(error)


_INVALID = grpc.StatusCode.INVALID_ARGUMENT
