"""Class metrics: which class a model gives each image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from judging.classifier import (
    Classified,
    classify_by_each_other,
    hits_by_each_other,
)
from judging.folded_view import AnyView
from judging.gate import RAW_PIXELS
from judging.judgement import ClassResult, Confused, Measure
from judging.measurements import Measurements, share, share_correlation
from judging.statistics.intervals import LEVEL, simultaneous_level
from judging.statistics.permutation import permutation_p_value, repeated_p_value
from judging.views import CANDIDATE, HeldOutImages

METRICS = ("class_accuracy", "worst_class_recall")
"""Metrics of a model."""

_DRAWS = (199, 999)
_PRODUCTS = 2_000_000_000
"""The least and the most shuffles of the labels, and of how many products, which take the time."""


class JudgedClasses(NamedTuple):
    """The classes that n images were given.

    Attributes:
        labels: str [n], their own classes.
        groups: int [n], their groups.
        answers: The candidate's.
        counted: bool [n], False if its class has no support image or, without a support set, no
            other test image.
        guesses: The classes that other models predict, str [n] each, by name.
        chance: See `judgement.Judgement`.
        chance_p_value: See there.
        recalls: By class.
    """

    labels: np.ndarray
    groups: np.ndarray
    answers: Classified
    counted: np.ndarray
    guesses: dict[str, np.ndarray]
    chance: float
    chance_p_value: float
    recalls: dict[str, Measure]

    def confusion(self) -> tuple[Confused, ...]:
        """Return the confusion matrix without its empty cells."""
        cells = np.stack([self.labels[self.counted], self.answers.label[self.counted]])
        cells, counts = np.unique(cells, axis=1, return_counts=True)
        return tuple(
            Confused(truth=str(t), predicted=str(p), images=int(n))
            for (t, p), n in zip(cells.T, counts, strict=True)
        )

    def result(
        self, label: str, support: np.ndarray, of_pairs: Mapping[str, Measure]
    ) -> ClassResult:
        """Return the result of one class.

        Args:
            label: Its name.
            support: str [s], classes of the support images.
            of_pairs: Accuracy and AUC of its pairs.
        """
        truth = self.labels[self.counted]
        answered = self.answers.label[self.counted] == label
        predicted = truth[answered]
        return ClassResult(
            label=label,
            images=int(np.sum(truth == label)),
            support=int(np.sum(support == label)),
            predicted=len(predicted),
            recall=self.recalls[label],
            precision=(
                share(predicted == label, self.groups[self.counted][answered])
                if len(predicted)
                else None
            ),
            pair_accuracy=of_pairs.get("accuracy"),
            pair_auc=of_pairs.get("auc"),
        )


def judge_classes(
    images: HeldOutImages,
    views: Mapping[str, AnyView],
    with_support: bool,
    raw_pixels: np.ndarray | None,
    measurements: Measurements,
) -> JudgedClasses:
    """Measure class accuracy and the worst class's recall.

    Args:
        images: The n images.
        views: The models' views of them.
        with_support: Whether to classify by the models' support sets; else by the other images.
        raw_pixels: str [n], the class of the support image nearest by its pixels; None: not known.
        measurements: Results are added to this object.
    """
    labels, groups = images.labels, images.groups
    classified = {
        name: view.classify(labels)
        if with_support
        else classify_by_each_other(view.embeddings, labels, groups, view.support.scored_by)
        for name, view in views.items()
    }
    answers = classified.pop(CANDIDATE)
    guesses = {name: theirs.label for name, theirs in classified.items()}
    if raw_pixels is not None:
        guesses[RAW_PIXELS] = raw_pixels
    counted = np.isfinite(answers.own_score)
    if not counted.any():
        measurements.skip(METRICS, "no class has two test images of different groups")
        return JudgedClasses(labels, groups, answers, counted, guesses, math.nan, math.nan, {})
    truth, guess, groups_of = labels[counted], answers.label[counted], groups[counted]
    hits = guess == truth
    measurements.add(METRICS, _measures(truth, hits, groups_of))
    for name, other in guesses.items():
        other_hits = other[counted] == truth
        theirs = _measures(truth, other_hits, groups_of)
        r = share_correlation(hits, other_hits, groups_of)
        measurements.compare(name, "class_accuracy", theirs["class_accuracy"], r)
        # Their worst classes may be different ones.
        measurements.compare(name, "worst_class_recall", theirs["worst_class_recall"], math.nan)
    recalls = {str(c): share(hits[truth == c], groups_of[truth == c]) for c in np.unique(truth)}
    chance = _chance(truth, guess)
    if with_support:
        p_value = permutation_p_value(truth, guess, groups_of)
    else:
        p_value = _p_value_by_each_other(views[CANDIDATE].embeddings, labels, groups)
    return JudgedClasses(labels, groups, answers, counted, guesses, chance, p_value, recalls)


def _p_value_by_each_other(embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Return the p-value of the class accuracy if the labels of the images decide on each other."""
    products = embeddings.size * len(np.unique(labels))
    draws = int(np.clip(_PRODUCTS // products, *_DRAWS))
    return repeated_p_value(
        lambda some: int(hits_by_each_other(embeddings, some, groups).sum()), labels, groups, draws
    )


def _measures(truth: np.ndarray, hits: np.ndarray, groups: np.ndarray) -> dict[str, Measure]:
    """Return the accuracy, and the recall of the class that does worst.

    The interval is that of the minimum recall. Its lower end is above the minimum only if that of
    the very class is, so each class's own interval suffices (an intersection-union test, Berger
    1982). Its upper end is below the minimum if that of any class is: a simultaneous interval.
    """
    classes = np.unique(truth)
    every = simultaneous_level(len(classes))
    own, at_once = (
        [share(hits[truth == c], groups[truth == c], level) for c in classes]
        for level in (LEVEL, every)
    )
    worst = min(own, key=lambda m: (m.value, m.images))
    return {
        "class_accuracy": share(hits, groups),
        "worst_class_recall": Measure(
            value=worst.value,
            low=min(m.low for m in own),
            high=min(m.high for m in at_once),
            images=worst.images,
        ),
    }


def _chance(truth: np.ndarray, guess: np.ndarray) -> float:
    """Return how often both would agree if they were independent (as in Cohen's kappa)."""
    return float(sum(np.mean(truth == c) * np.mean(guess == c) for c in np.unique(truth)))
