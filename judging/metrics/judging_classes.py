"""Judges which class a model gives each image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from judging import gate
from judging.findings import Findings, share
from judging.judgement import ClassResult, Confused, Measure
from judging.metrics.classification import Answers, by_each_other, by_support
from judging.statistics.intervals import simultaneous_level
from judging.views import CANDIDATE, View


class JudgedClasses(NamedTuple):
    """What became of n images.

    Attributes:
        labels: str [n], their classes.
        answers: The candidate's.
        told: bool [n], those that can be told: without another image of its class, none can.
        guesses: What the others gave, str [n] each, by name.
        chance: See `judgement.Judgement`.
        recalls: By class.
    """

    labels: np.ndarray
    answers: Answers
    told: np.ndarray
    guesses: dict[str, np.ndarray]
    chance: float
    recalls: dict[str, Measure]

    def confusion(self) -> tuple[Confused, ...]:
        """The confusion matrix, without its empty cells."""
        cells = np.stack([self.labels[self.told], self.answers.label[self.told]])
        found, counts = np.unique(cells, axis=1, return_counts=True)
        return tuple(
            Confused(truth=str(t), predicted=str(p), images=int(n))
            for (t, p), n in zip(found.T, counts, strict=True)
        )

    def result(
        self, label: str, support: np.ndarray, of_pairs: Mapping[str, Measure]
    ) -> ClassResult:
        """One class.

        Args:
            label: Its name.
            support: str [s], classes of the support images.
            of_pairs: Accuracy and AUC of its pairs.
        """
        truth = self.labels[self.told]
        given = truth[self.answers.label[self.told] == label]
        return ClassResult(
            label=label,
            images=int(np.sum(truth == label)),
            support=int(np.sum(support == label)),
            predicted=len(given),
            recall=self.recalls[label],
            precision=share(given == label) if len(given) else None,
            pair_accuracy=of_pairs.get("accuracy"),
            pair_auc=of_pairs.get("auc"),
        )


def judge_classes(
    labels: np.ndarray,
    views: Mapping[str, View],
    with_support: bool,
    raw_pixels: np.ndarray | None,
    findings: Findings,
) -> JudgedClasses:
    """Measure class accuracy and the worst class's recall.

    Args:
        labels: str [n], the images' classes.
        views: What the models make of them.
        with_support: Whether they are told by the models' support sets; else by each other.
        raw_pixels: str [n], the class of the support image nearest by its pixels; None: not known.
        findings: Where the measures go.
    """
    answered = {
        name: by_support(view.support, view.embeddings, labels)
        if with_support
        else by_each_other(view.embeddings, labels)
        for name, view in views.items()
    }
    answers = answered.pop(CANDIDATE)
    guesses = {name: theirs.label for name, theirs in answered.items()}
    if raw_pixels is not None:
        guesses[gate.RAW_PIXELS] = raw_pixels
    told = np.isfinite(answers.own_score)
    if not told.any():
        findings.leave_out(("class_accuracy", "worst_class_recall"), "no class has two test images")
        return JudgedClasses(labels, answers, told, guesses, math.nan, {})
    truth, guess = labels[told], answers.label[told]
    hits = guess == truth
    own = _measures(truth, hits)
    findings.take(own, own)
    for name, other in guesses.items():
        theirs = other[told] == truth
        found = _measures(truth, theirs)
        r = _correlation(hits, theirs)
        findings.compare(name, "class_accuracy", found["class_accuracy"], r)
        # Their worst classes may be different ones.
        findings.compare(name, "worst_class_recall", found["worst_class_recall"], math.nan)
    recalls = {str(c): share(hits[truth == c]) for c in np.unique(truth)}
    return JudgedClasses(labels, answers, told, guesses, _chance(truth, guess), recalls)


def _measures(truth: np.ndarray, hits: np.ndarray) -> dict[str, Measure]:
    """The accuracy, and the recall of the class that does worst.

    That class is known after the fact alone, so its interval is where the least recall is if all
    classes' intervals hold at once.
    """
    classes = np.unique(truth)
    level = simultaneous_level(len(classes))
    each = [share(hits[truth == c], level) for c in classes]
    worst = min(each, key=lambda m: (m.value, m.images))
    return {
        "class_accuracy": share(hits),
        "worst_class_recall": Measure(
            value=worst.value,
            low=min(m.low for m in each),
            high=min(m.high for m in each),
            images=worst.images,
        ),
    }


def _chance(truth: np.ndarray, guess: np.ndarray) -> float:
    """How often both would agree if they had nothing to do with each other (as Cohen's kappa)."""
    return float(sum(np.mean(truth == c) * np.mean(guess == c) for c in np.unique(truth)))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if one.all() or other.all() or not one.any() or not other.any():
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])
