"""What models say of images that they have not learned from: one model for each fold.

The Trainer writes it (`records.out_of_fold_file`), and the Judge and the Evaluator judge by it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from records.scored_by import ScoredBy


class FoldModel(NamedTuple):
    """The model that has not learned from one fold.

    Attributes:
        support: int64 [s], indices of the images that it classifies by.
        support_embeddings: float32 [s, d], their embeddings by it.
        same: Its threshold for similarities.
        known: Its threshold for the best class's score.
        scale: Of its similarity, a logistic function of the cosine.
        offset: Of the same.
        scored_by: What its scores of a class are made of.
    """

    support: np.ndarray
    support_embeddings: np.ndarray
    same: float
    known: float
    scale: float
    offset: float
    scored_by: ScoredBy = "cosine"


class OutOfFold(NamedTuple):
    """The n images that a model has learned from, each embedded by a model that has not.

    Attributes:
        ids: bytes [n].
        labels: str [n], their classes.
        sources: bytes [n], their files.
        keys: int64 [n], see `records.training_keys`.
        folds: int64 [n], see `features.FOLD`.
        embeddings: float32 [n, d], each by the model of its own fold.
        unknown_scores: float64 [n], each image's best score by a model that has learned neither
            from its fold nor from its class, scored as that model does; NaN if there are too few
            classes.
        models: That of each fold.
        same: The final model's threshold for similarities.
        known: Its threshold for the best class's score.
    """

    ids: np.ndarray
    labels: np.ndarray
    sources: np.ndarray
    keys: np.ndarray
    folds: np.ndarray
    embeddings: np.ndarray
    unknown_scores: np.ndarray
    models: tuple[FoldModel, ...]
    same: float
    known: float

    def similarities(self, fold: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return similarities float64 [p] in [0, 1] of embeddings float [p, d] of a fold's images.

        Their logits are shifted, so that the threshold of the fold's model becomes the final one's:
        decisions of several models, each by its own threshold, are then decisions by one.
        """
        model = self.models[fold]
        cosines = (left * right).sum(axis=1).astype("float64")
        return _logistic(model.scale * cosines + model.offset + self.shift(model))

    def shift(self, model: FoldModel) -> float:
        """Return by how much the logits of a model's similarities are shifted."""
        return float(_logit(self.same) - _logit(model.same))


_LEAST = 1e-12


def _logit(share: float) -> float:
    bounded = min(max(share, _LEAST), 1 - _LEAST)
    return math.log(bounded) - math.log1p(-bounded)


def _logistic(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))
