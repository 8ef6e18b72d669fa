"""Chooses what the score of a class is made of, by classes that were left out.

With few classes, unknown images are told from known ones best by the cosine alone. With many
similar ones the margin to the second class helps: an image of an unknown class is often near to
several.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, get_args

import numpy as np

from judging.classifier import BestScores
from judging.number_text import number
from judging.statistics.roc import Roc, auc
from records.scored_by import ScoredBy

LEAST_CLASSES = 3


class ScoreChoice(NamedTuple):
    """What the score of a class is made of, and why.

    Attributes:
        scored_by: The choice.
        auroc: Of known images against those of classes left out, the mean over these classes, by
            what the score is made of; empty if there was nothing to compare.
    """

    scored_by: ScoredBy
    auroc: dict[str, float]

    def sentence(self) -> str:
        """Return what was chosen and why, as a sentence."""
        chosen = f"The score of a class is {_NAMES[self.scored_by]}"
        if not self.auroc:
            return f"{chosen}: there was nothing to compare scores by."
        [other] = self.auroc.keys() - {self.scored_by}
        areas = [number(self.auroc[by]) for by in (self.scored_by, other)]
        no_more = ""
        if self.scored_by == "cosine" and self.auroc[other] >= self.auroc["cosine"]:
            no_more = ", not better by more than its standard error"
        return (
            f"{chosen}: AUROC {areas[0]} of known images against those of classes left out; "
            f"{_NAMES[other]}: {areas[1]}{no_more}."
        )

    def summary(self) -> dict[str, Any]:
        """Return all of it, as `training.json` holds it."""
        return {**self._asdict(), "sentence": self.sentence()}


_NAMES: dict[str, str] = {
    "cosine": "its cosine",
    "margin": "its cosine with its margin to the best other class",
}

NOTHING_TO_COMPARE = ScoreChoice("cosine", {})


def choose_score(known: BestScores, unknown: BestScores, labels: np.ndarray) -> ScoreChoice:
    """Return the choice by which known images are separated better from those of classes left out.

    It is the cosine, unless the AUROC by margin is higher by more than the standard error of the
    difference over the classes left out. With fewer than three of them that is not known.

    Args:
        known: Of images of known classes that nothing was fitted on.
        unknown: Of m images, each without its class.
        labels: [m], their classes.
    """
    classes = np.unique(labels)
    finite = all(np.isfinite(column).all() for column in (*known, *unknown))
    if len(classes) < LEAST_CLASSES or not len(known.cosine) or not finite:
        return NOTHING_TO_COMPARE
    areas = {
        by: np.array([_area(known.by(by), unknown.by(by)[labels == one]) for one in classes])
        for by in get_args(ScoredBy)
    }
    gain = areas["margin"] - areas["cosine"]
    better = gain.mean() > gain.std(ddof=1) / math.sqrt(len(gain))
    means = {by: float(values.mean()) for by, values in areas.items()}
    return ScoreChoice("margin" if better else "cosine", means)


def _area(known: np.ndarray, unknown: np.ndarray) -> float:
    every = np.concatenate([known, unknown])
    return auc(Roc(every, np.arange(len(every)) < len(known))).value
