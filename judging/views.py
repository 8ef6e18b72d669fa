"""What is judged: test images, and what each model makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from judging.metrics.classification import Support

CANDIDATE = ""
"""Name of the model that is judged, among those that it is compared with; it comes first."""

NOT_VALID = "the model takes it for no image"
TRAINED_WITH = "the model was trained with it"
"""Why an image is not judged on."""


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

    def only(self, images: np.ndarray) -> HeldOutImages:
        """Some of them, bool [n]."""
        return HeldOutImages(*(column[images] for column in self))


class View(NamedTuple):
    """What one model makes of the test images.

    Attributes:
        model: Where it is, or in words what it is.
        embeddings: float [n, d], of the test images.
        unknown: float [u, d], of images of no class.
        support: Its labelled images.
        similarity: From embeddings of two sides, float [p, d] each, to similarities float [p]; None
            where it has none.
        same: Its threshold of the similarity.
        known: Its threshold of the best class's score.
        seen: bool [n], which test images it is known to be made with; None: none.
        seen_unknown: bool [u], the same of the images of no class.
    """

    model: str
    embeddings: np.ndarray
    unknown: np.ndarray
    support: Support
    similarity: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    same: float = math.nan
    known: float = math.nan
    seen: np.ndarray | None = None
    seen_unknown: np.ndarray | None = None

    @property
    def unseen(self) -> np.ndarray:
        """Bool [n], which test images it is not known to be made with."""
        return np.ones(len(self.embeddings), bool) if self.seen is None else ~self.seen

    @property
    def unseen_unknown(self) -> np.ndarray:
        """Bool [u], the same of the images of no class."""
        seen = self.seen_unknown
        return np.ones(len(self.unknown), bool) if seen is None else ~seen

    def only(self, images: np.ndarray, unknown: np.ndarray | None = None) -> View:
        """The view of some test images, bool [n], and some unknown images, bool [u]."""
        view = self._replace(embeddings=self.embeddings[images], seen=~self.unseen[images])
        if unknown is None:
            return view
        return view._replace(
            unknown=self.unknown[unknown], seen_unknown=~self.unseen_unknown[unknown]
        )


class PairSettings(NamedTuple):
    """How PairGen has paired the same images; see `pairs.draw_pairs`."""

    partners: int = 16
    most_images: int = 500
    seed: int = 0
