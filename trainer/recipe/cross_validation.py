"""Cross-validates heads on cached features: none is fitted on the group of an image it judges."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from judging.classifier import (
    BestScores,
    Support,
    best_scores,
    class_centroids,
    classify,
    classify_by_each_other,
    cosines,
)
from trainer.recipe.heads import Candidate, Head

FOLDS = 5
"""Number of folds, or of the groups of the smallest class if it has fewer."""

CLASS_FOLDS = 20
"""Number of folds of classes, or of classes if there are fewer: then each is left out alone.

What is similar to two known classes has a small margin, which similar classes that are left out
together would hide.
"""

_PREDICTIONS = 200
"""Cross-validation is repeated until it has made about as many predictions."""

_MOST_REPETITIONS = 5
_PAIRED = 200
"""Images of a fold of which all pairs are scored."""


class LabelledFeatures(NamedTuple):
    """Prepared features of the n training images.

    Attributes:
        prepared: float64 [n, v, d], of v views, from `heads.prepare`.
        labels: str [n].
        groups: int [n].
        new_classes: Whether the model is to tell apart classes that it was not trained on.
        unlabelled: float64 [u, v, d], the same of unlabelled images; None: there are none.
        copy_of: int [u], the group of a labelled image that an unlabelled one is a copy of, or -1.
    """

    prepared: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    new_classes: bool = False
    unlabelled: np.ndarray | None = None
    copy_of: np.ndarray | None = None

    def only(self, places: np.ndarray) -> LabelledFeatures:
        """Return the images at some indices, int [k], or of a mask, bool [n].

        Of the unlabelled images those stay that are no copies of the others: with them, a head
        would have seen what it is to judge.
        """
        prepared = self.prepared[places] if len(self.prepared) else self.prepared
        some = self._replace(
            prepared=prepared, labels=self.labels[places], groups=self.groups[places]
        )
        if self.unlabelled is None or self.copy_of is None:
            return some
        kept = (self.copy_of < 0) | np.isin(self.copy_of, some.groups)
        return some._replace(unlabelled=self.unlabelled[kept], copy_of=self.copy_of[kept])

    def head(self, candidate: Candidate, places: np.ndarray) -> Head:
        """Return a candidate's head, fitted on the images at some indices."""
        some = self.only(places)
        return candidate.fit(some.prepared, some.labels, some.unlabelled)


class CrossValidated(NamedTuple):
    """What heads say of images that they were not fitted on.

    Attributes:
        accuracy: Share of right classes; NaN if no image can be classified.
        right: float [n], share of the repetitions in which the image's class was right; NaN where
            it could not be classified.
        cosines: float [p], of pairs of images of one fold.
        same: bool [p], whether both are of one class.
        scores: Of k images, the best class's.
        class_cosines: float [m, c], of all classes, where heads know them all.
        own: int [m], the images' own class.
    """

    accuracy: float
    right: np.ndarray
    cosines: np.ndarray
    same: np.ndarray
    scores: BestScores
    class_cosines: np.ndarray
    own: np.ndarray

    @property
    def auc(self) -> float:
        """Area under the ROC curve of the pairs; NaN if they are of one kind."""
        both = 0 < self.same.sum() < len(self.same)
        return float(roc_auc_score(self.same, self.cosines)) if both else math.nan


def cross_validate(candidate: Candidate, images: LabelledFeatures, seed: int) -> CrossValidated:
    """Return what a candidate's heads say of images that they were not fitted on.

    Args:
        candidate: How the heads are fitted.
        images: n images; with `new_classes`, whole classes are left out, and their images are
            classified by each other.
        seed: Of the folds.
    """
    hits, counts = np.zeros(len(images.labels)), np.zeros(len(images.labels))
    of_pairs, same = [], []
    best_of = [np.empty((2, 0))]
    classes = np.unique(images.labels)
    of_classes, own = [np.empty((0, len(classes)))], [np.empty(0, int)]
    for fitted, held in _folds(images, seed):
        head = images.head(candidate, fitted)
        embeddings, labels = head.embed(images.prepared[held]), images.labels[held]
        if images.new_classes:
            found = classify_by_each_other(embeddings, labels, images.groups[held])
        else:
            support = _support(head, images, fitted)
            found = classify(support, embeddings, labels)
            centroids = class_centroids(support.embeddings, support.labels)
            if len(centroids.classes) == len(classes):
                of_classes.append(cosines(centroids.distances(embeddings)))
                own.append(np.searchsorted(classes, labels))
        counted = np.isfinite(found.own_score)
        hits[held] += (found.label == labels) & counted
        counts[held] += counted
        best_of.append(np.stack([found.score, np.nan_to_num(found.margin)])[:, counted])
        pairs, alike = _pairs(embeddings, labels, images.groups[held])
        of_pairs.append(pairs)
        same.append(alike)
    with np.errstate(invalid="ignore"):
        right = hits / np.where(counts, counts, np.nan)
    known = right[np.isfinite(right)]
    return CrossValidated(
        accuracy=float(known.mean()) if len(known) else math.nan,
        right=right,
        cosines=_joined(of_pairs),
        same=_joined(same),
        scores=BestScores(*np.concatenate(best_of, axis=1)),
        class_cosines=np.concatenate(of_classes),
        own=np.concatenate(own),
    )


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0)


def unknown_scores(
    candidate: Candidate,
    images: LabelledFeatures,
    seed: int,
    scored: LabelledFeatures | None = None,
) -> BestScores:
    """Return best scores of images whose class the head was not fitted on.

    Args:
        candidate: How the heads are fitted.
        images: What they are fitted on, without some of the classes.
        seed: Of the folds of classes.
        scored: n images; None: those of `images`.

    Returns:
        Of n images; NaN with fewer than three classes: with one of two left out, nothing is left to
        compare.
    """
    scored = scored or images
    found = BestScores(*np.full((2, len(scored.labels)), math.nan))
    classes = np.unique(images.labels)
    if len(classes) < 3:
        return found
    for left_out in _class_folds(classes, min(CLASS_FOLDS, len(classes)), seed):
        fitted, judged = ~np.isin(images.labels, left_out), np.isin(scored.labels, left_out)
        if len(np.unique(images.labels[fitted])) < 2 or not judged.any():
            continue
        head = images.head(candidate, fitted)
        support = _support(head, images, fitted)
        embeddings = head.embed(scored.prepared[judged])
        of_these = best_scores(support.embeddings, support.labels, embeddings)
        found.cosine[judged], found.margin[judged] = of_these
    return found


def _support(head: Head, images: LabelledFeatures, of: np.ndarray) -> Support:
    embeddings = head.embed(images.prepared[of])
    return Support(embeddings, images.labels[of], np.arange(len(embeddings)).astype(str))


def _folds(images: LabelledFeatures, seed: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    """Return the indices of the images that a head is fitted on, and of those that it is not.

    They are the same for all candidates and views, and take longer to find than some heads to fit.
    """
    labels, groups = tuple(images.labels.tolist()), tuple(images.groups.tolist())
    return _folds_of(labels, groups, images.new_classes, seed)


@functools.lru_cache(maxsize=4)
def _folds_of(
    labels: tuple[str, ...], groups: tuple[int, ...], new_classes: bool, seed: int
) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    return [*_split(np.array(labels), np.array(groups), new_classes, seed)]


def _split(
    labels: np.ndarray, groups: np.ndarray, new_classes: bool, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    repetitions = min(_MOST_REPETITIONS, -(-_PREDICTIONS // len(labels)))
    for repetition in range(repetitions):
        if new_classes:
            classes = np.unique(labels)
            count = min(FOLDS, max(2, len(classes) // 2))  # of two classes, to tell them apart
            for left_out in _class_folds(classes, count, seed + repetition):
                held = np.isin(labels, left_out)
                yield np.flatnonzero(~held), np.flatnonzero(held)
            continue
        of_classes = [len(np.unique(groups[labels == label])) for label in np.unique(labels)]
        folds = max(2, min(FOLDS, *of_classes))
        if max(of_classes) < folds or len(np.unique(groups)) < folds:
            return  # no class has a group to learn from and another one to be judged
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repetition)
        for fitted, held in splitter.split(labels, labels, groups):
            if len(np.unique(labels[fitted])) > 1 and len(held):
                yield fitted, held


def _class_folds(classes: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the classes of each of `count` folds."""
    shuffled = np.random.default_rng(seed).permutation(classes)
    for _, held in GroupKFold(count).split(shuffled, groups=np.arange(len(shuffled))):
        yield shuffled[held]


def _pairs(
    embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosines of the pairs of images of two groups, and which are of one class."""
    some = np.linspace(0, len(labels) - 1, min(_PAIRED, len(labels))).astype(int)
    left, right = np.triu_indices(len(some), 1)
    left, right = some[left], some[right]
    apart = groups[left] != groups[right]
    left, right = left[apart], right[apart]
    return (embeddings[left] * embeddings[right]).sum(axis=1), labels[left] == labels[right]
