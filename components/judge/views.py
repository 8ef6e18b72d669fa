"""What is judged: test images, and what each model makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from components.judge.classification import Support

CANDIDATE = ""
"""Name of the model that is judged, among those that it is compared with; it comes first."""


class HeldOutImages(NamedTuple):
    """The images that are judged on, n of them, in the order of their ids.

    Attributes:
        ids: str [n].
        labels: str [n], their classes.
        sources: str [n], their files.
    """

    ids: np.ndarray
    labels: np.ndarray
    sources: np.ndarray


class View(NamedTuple):
    """What one model makes of the test images.

    Attributes:
        model: Where it is, or in words what it is.
        embeddings: float [n, d], of the test images.
        strangers: float [u, d], of images of no class.
        support: Its labelled images.
        similarity: From embeddings of two sides, float [p, d] each, to similarities float [p]; None
            where it has none.
        same: Its threshold of the similarity.
        known: Its threshold of the best class's score.
    """

    model: str
    embeddings: np.ndarray
    strangers: np.ndarray
    support: Support
    similarity: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    same: float = math.nan
    known: float = math.nan


class PairSettings(NamedTuple):
    """How PairGen has paired the same images; see `pairs.draw_pairs`."""

    partners: int = 16
    most_images: int = 500
    seed: int = 0
