"""The input of a judgement: test images, and each model's embeddings of them (a *view*)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from judging.classifier import Support

CANDIDATE = "candidate"
"""Name of the model that is judged, among those that it is compared with; it comes first."""


class HeldOutImages(NamedTuple):
    """The n images that the model is judged on, in the order of their ids.

    Attributes:
        ids: str [n].
        labels: str [n], their classes.
        sources: str [n], their files.
        groups: int [n], the group of each: images of one group are not independent.
    """

    ids: np.ndarray
    labels: np.ndarray
    sources: np.ndarray
    groups: np.ndarray

    def only(self, images: np.ndarray) -> HeldOutImages:
        """Return some of them, bool [n]."""
        return HeldOutImages(*(column[images] for column in self))


class View(NamedTuple):
    """A model's embeddings of the test images, with its support set and thresholds.

    Attributes:
        model: Its path, or a description.
        embeddings: float [n, d], of the test images; NaN where it does not accept one.
        unknown: float [u, d], of unknown images.
        support: Its support set.
        similarity: Maps left and right embeddings, float [p, d] each, to similarities float [p];
            None for an encoder without a pair head.
        same: Its threshold for the similarity.
        known: Its threshold for the best class's score.
        trained_on: bool [n], which test images it was trained on; None if this is not known.
        trained_on_unknown: bool [u], the same for the unknown images.
        enrolled: Classes of its support set that were added without training.
    """

    model: str
    embeddings: np.ndarray
    unknown: np.ndarray
    support: Support
    similarity: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    same: float = math.nan
    known: float = math.nan
    trained_on: np.ndarray | None = None
    trained_on_unknown: np.ndarray | None = None
    enrolled: frozenset[str] = frozenset()

    @property
    def accepted(self) -> np.ndarray:
        """Bool [n], the test images that it accepts."""
        return np.isfinite(self.embeddings).all(axis=1)

    @property
    def accepted_unknown(self) -> np.ndarray:
        """Bool [u], the unknown images that it accepts."""
        return np.isfinite(self.unknown).all(axis=1)

    @property
    def unseen(self) -> np.ndarray:
        """Bool [n], the test images that it is not known to be trained on."""
        return np.ones(len(self.embeddings), bool) if self.trained_on is None else ~self.trained_on

    @property
    def unseen_unknown(self) -> np.ndarray:
        """Bool [u], the unknown images that it is not known to be trained on."""
        trained_on = self.trained_on_unknown
        return np.ones(len(self.unknown), bool) if trained_on is None else ~trained_on

    def only(self, images: np.ndarray, unknown: np.ndarray | None = None) -> View:
        """Return the view of some test images, bool [n], and some unknown images, bool [u]."""
        view = self._replace(embeddings=self.embeddings[images], trained_on=~self.unseen[images])
        if unknown is None:
            return view
        return view._replace(
            unknown=self.unknown[unknown], trained_on_unknown=~self.unseen_unknown[unknown]
        )


class PairSettings(NamedTuple):
    """How PairGen pairs the same images (`pairs.draw_pairs`); the seed also draws the episodes."""

    partners: int = 16
    most_images: int = 500
    seed: int = 0
