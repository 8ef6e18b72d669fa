"""The images that a model was judged on, with its answers: a reference for its later traffic."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MOST_IMAGES = 2000
"""Of more judged images, this many are drawn: a reference rests on enough of them."""


class Reference(NamedTuple):
    """n judged images, as the model answers about images that it was not trained on.

    Attributes:
        labels: str [n], their own classes.
        predicted: str [n], the classes that they were given.
        scores: float64 [n], of the predicted class; with folds on the final model's scale.
        margins: float64 [n], the best class's score less the second's; NaN with one class.
        known: bool [n], whether the model takes the image for one of a known class.
        groups: int [n], images of one group are not independent.
        embeddings: float32 [n, d]; with folds each by the model of its own fold.
    """

    labels: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray
    margins: np.ndarray
    known: np.ndarray
    groups: np.ndarray
    embeddings: np.ndarray

    def only(self, images: np.ndarray) -> Reference:
        """Return some of the images, bool or int [n]."""
        return Reference(*(column[images] for column in self))

    def drawn(self, most: int = MOST_IMAGES, seed: int = 0) -> Reference:
        """Return at most so many images, drawn at random."""
        if len(self.labels) <= most:
            return self
        chosen = np.random.default_rng(seed).choice(len(self.labels), most, replace=False)
        return self.only(np.sort(chosen))


def known_by(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return which scores float [n] reach the threshold, at the served model's precision."""
    return np.asarray(scores, "float32") >= np.float32(threshold)
