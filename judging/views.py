"""The input of a judgement: test images, and each model's embeddings of them (a *view*)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from judging.classifier import Classified, Support, classify
from judging.open_set_scores import Scores, open_set_scores

CANDIDATE = "candidate"
"""Name of the model that is judged, among those that it is compared with; it comes first."""


class HeldOutImages(NamedTuple):
    """The n images that the model is judged on, in the order of their ids.

    Attributes:
        ids: str [n].
        labels: str [n], their classes.
        sources: str [n], their files.
        groups: int [n], the group of each: images of one group are not independent.
        folds: int [n], the fold of each, within which pairs are formed; None without folds.
    """

    ids: np.ndarray
    labels: np.ndarray
    sources: np.ndarray
    groups: np.ndarray
    folds: np.ndarray | None = None

    def only(self, images: np.ndarray) -> HeldOutImages:
        """Return some of them, bool [n]."""
        return HeldOutImages(
            self.ids[images],
            self.labels[images],
            self.sources[images],
            self.groups[images],
            None if self.folds is None else self.folds[images],
        )

    def places_of_folds(self) -> list[np.ndarray]:
        """Return the indices of the images of each fold, int [m] each; of all without folds."""
        if self.folds is None:
            return [np.arange(len(self.ids))]
        return [np.flatnonzero(self.folds == fold) for fold in np.unique(self.folds)]


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

    @property
    def compares_pairs(self) -> bool:
        """Whether it has a similarity."""
        return self.similarity is not None

    def classify(self, labels: np.ndarray) -> Classified:
        """Classify the test images by its support set.

        Args:
            labels: str [n], the images' own classes.
        """
        return classify(self.support, self.embeddings, labels)

    def similarities(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return similarities float [p] of pairs of test images, whose indices are int [p] each."""
        if self.similarity is None:
            raise ValueError(f"{self.model} compares no pairs")
        return np.asarray(self.similarity(self.embeddings[left], self.embeddings[right]))

    def open_set_scores(self, labels: np.ndarray, groups: np.ndarray) -> Scores | None:
        """Return the scores of known and unknown images; None if there are too few classes.

        Args:
            labels: str [n], the images' classes.
            groups: int [n], their groups.
        """
        return open_set_scores(self.support, self.embeddings, labels, self.unknown, groups)

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
