"""Explains an answer by covering one place of the image after another.

For models whose score is no sum over places, and models exported without the signature `explain`.
Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from serving.answers import Classification, Comparison
from serving.explanation import Explanation, unusable
from serving.query_image import ImageError

CELLS = 8
"""Rows and columns of the map."""


def occluded(image: bytes) -> list[bytes]:
    """Return an image, and the image with each cell covered by its mean colour, as PNG.

    Args:
        image: Encoded.

    Raises:
        ImageError: It is of more than eight bits or cannot be read.
    """
    try:
        with Image.open(io.BytesIO(image)) as opened:
            deep = opened.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")
            pixels = np.asarray(opened.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise ImageError(f"an image cannot be read: {e}") from e
    if deep:
        raise ImageError("an image of more than eight bits cannot be explained by occlusion")
    colour = pixels.reshape(-1, 3).mean(axis=0).astype("uint8")
    rows, columns = (np.linspace(0, size, CELLS + 1).astype(int) for size in pixels.shape[:2])
    found = [_png(pixels)]
    for row in range(CELLS):
        for column in range(CELLS):
            covered = pixels.copy()
            covered[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = colour
            found.append(_png(covered))
    return found


def of_class(
    pictures: Sequence[bytes], answers: Sequence[Classification], label: str
) -> Explanation:
    """Return which places speak for a class.

    Args:
        pictures: From `occluded`.
        answers: About each of them.
        label: The class; empty: the best one.

    Raises:
        ServingError: The image cannot be used, or there is no such class.
    """
    _check(answers)
    label = label or answers[0].label
    if label not in answers[0].scores:
        raise unusable("no_such_class")
    return _explanation(pictures, [answer.scores[label] for answer in answers], label)


def of_pair(pictures: Sequence[bytes], answers: Sequence[Comparison]) -> Explanation:
    """Return which places of an image speak for its being the same as another one.

    Args:
        pictures: From `occluded`.
        answers: About each of them and the other image.

    Raises:
        ServingError: An image cannot be used.
    """
    _check(answers)
    return _explanation(pictures, [answer.similarity for answer in answers], "")


def _check(answers: Sequence[Classification] | Sequence[Comparison]) -> None:
    for answer in answers:
        if not answer.valid:
            raise unusable(answer.reason)


def _explanation(pictures: Sequence[bytes], scores: Sequence[float], label: str) -> Explanation:
    whole, *covered = scores
    values = whole - np.reshape(np.array(covered, "float32"), (CELLS, CELLS))
    return Explanation(values.astype("float32"), whole, label, pictures[0], exact=False)


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
