"""The view of a training procedure whose images are in folds: a model for each fold."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from base.printable import text_of
from judging.classifier import Classified, Support, best_scores
from judging.open_set_scores import Scores
from judging.thresholds import DEFAULT_KNOWN
from judging.views import View
from records.out_of_fold import FoldModel, OutOfFold
from records.scored_by import ScoredBy


class FoldedView(NamedTuple):
    """Images in folds, each seen by the model that has not learned from its fold.

    Scores of a fold are shifted, so that the threshold of its model becomes the final model's: the
    decisions of all folds can be counted together.

    Attributes:
        folds: int [n], the fold of each test image.
        parts: The view of each fold, of its images in order; similarities are shifted already.
        places: Of each fold, the indices in `support` of the images that its model classifies by.
        support: All labelled images, of whatever fold; only labels and sources are used.
        final: The view of the model that has learned from all images; it sees the unknown ones.
        unknown_scores: float [n], the best score of each test image by a model that has learned
            neither from its fold nor from its class; None: its class is left out of the support
            set of its fold's model alone.
    """

    folds: np.ndarray
    parts: tuple[View, ...]
    places: tuple[np.ndarray, ...]
    support: Support
    final: View
    unknown_scores: np.ndarray | None = None

    @property
    def model(self) -> str:
        """The final model's path, or a description."""
        return self.final.model

    @property
    def same(self) -> float:
        """The final model's threshold for the similarity."""
        return self.final.same

    @property
    def known(self) -> float:
        """The final model's threshold for the best class's score."""
        return self.final.known

    @property
    def unknown(self) -> np.ndarray:
        """Float [u, d], the final model's embeddings of the unknown images."""
        return self.final.unknown

    @property
    def enrolled(self) -> frozenset[str]:
        """Classes of the final model that were added without training."""
        return self.final.enrolled

    @property
    def embeddings(self) -> np.ndarray:
        """Float [n, d], each by its fold's model: only those of one fold can be compared."""
        size = max(part.embeddings.shape[1] for part in self.parts)
        found = np.full((len(self.folds), size), math.nan)
        for fold, part in enumerate(self.parts):
            found[self.folds == fold] = part.embeddings
        return found

    @property
    def accepted(self) -> np.ndarray:
        """Bool [n], the test images that its models accept."""
        return np.isfinite(self.embeddings).all(axis=1)

    @property
    def accepted_unknown(self) -> np.ndarray:
        """Bool [u], the unknown images that the final model accepts."""
        return self.final.accepted_unknown

    @property
    def unseen(self) -> np.ndarray:
        """Bool [n], the test images whose model is not known to be trained on them."""
        found = np.ones(len(self.folds), bool)
        for fold, part in enumerate(self.parts):
            found[self.folds == fold] = part.unseen
        return found

    @property
    def unseen_unknown(self) -> np.ndarray:
        """Bool [u], the unknown images that the final model is not known to be trained on."""
        return self.final.unseen_unknown

    @property
    def compares_pairs(self) -> bool:
        """Whether its models have a similarity."""
        return all(part.compares_pairs for part in self.parts)

    def only(self, images: np.ndarray, unknown: np.ndarray | None = None) -> FoldedView:
        """Return the view of some test images, bool [n], and some unknown images, bool [u]."""
        final = self.final
        if unknown is not None:
            final = final.only(np.zeros(len(final.embeddings), bool), unknown)
        return self._replace(
            folds=self.folds[images],
            parts=tuple(
                part.only(images[self.folds == fold]) for fold, part in enumerate(self.parts)
            ),
            final=final,
            unknown_scores=None if self.unknown_scores is None else self.unknown_scores[images],
        )

    def classify(self, labels: np.ndarray) -> Classified:
        """Classify each image by the support set of its fold's model.

        Args:
            labels: str [n], the images' own classes.
        """
        found, images = [], []
        for of_fold, part, places in self._folds_with_images():
            images.append(np.flatnonzero(of_fold))
            one = part.classify(labels[of_fold])
            shift = self._shift(part)
            if len(np.unique(part.support.labels)) < 2:  # it could not be wrong
                one = one._replace(own_score=np.full(len(one.own_score), math.nan))
            found.append(
                one._replace(
                    score=one.score + shift,
                    own_score=one.own_score + shift,
                    neighbours=places[one.neighbours],
                    rival=places[one.rival],
                )
            )
        # Of few images, models may have fewer neighbours than others.
        most = min(one.neighbours.shape[1] for one in found)
        found = [one._replace(neighbours=one.neighbours[:, :most]) for one in found]
        order = np.argsort(np.concatenate(images))
        return Classified(*(np.concatenate(column)[order] for column in zip(*found, strict=True)))

    def similarities(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return similarities float [p] of pairs, int [p] each; NaN for images of two folds."""
        found = np.full(len(left), math.nan)
        place = np.zeros(len(self.folds), int)
        for fold, part in enumerate(self.parts):
            of_fold = self.folds == fold
            place[of_fold] = np.arange(np.count_nonzero(of_fold))
            pairs = of_fold[left] & of_fold[right]
            if pairs.any():
                found[pairs] = part.similarities(place[left[pairs]], place[right[pairs]])
        return found

    def open_set_scores(self, labels: np.ndarray, groups: np.ndarray) -> Scores | None:
        """Return the scores of known and unknown images; None if there are too few classes.

        Without unknown images, each class is left out in turn. Unknown images are scored by the
        final model, which has not learned from them.

        Args:
            labels: str [n], the images' classes.
            groups: int [n], their groups.
        """
        parts = []
        for of_fold, part, _ in self._folds_with_images():
            supported = np.isin(labels[of_fold], part.support.labels)
            images = np.flatnonzero(of_fold)[supported]
            seen = part.only(supported)
            if len(self.unknown) or self.unknown_scores is not None:
                own = seen.support
                best = best_scores(own.embeddings, own.labels, seen.embeddings)
                known = best.by(own.scored_by)
                of_part = Scores(known, images, self._of_unknown_classes(images), images)
            elif found := seen.open_set_scores(labels[images], groups[images]):
                of_part = found._replace(
                    known_image=images[found.known_image],
                    unknown_image=images[found.unknown_image],
                )
            else:
                continue
            shift = self._shift(part)
            parts.append(
                of_part._replace(known=of_part.known + shift, unknown=of_part.unknown + shift)
            )
        if not parts:
            return None
        pooled = Scores(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        if not len(self.unknown):
            scored = np.isfinite(pooled.unknown)
            return (
                pooled._replace(
                    unknown=pooled.unknown[scored], unknown_image=pooled.unknown_image[scored]
                )
                if scored.any()
                else None
            )
        support = self.final.support
        return pooled._replace(
            unknown=best_scores(support.embeddings, support.labels, self.unknown).by(
                support.scored_by
            ),
            unknown_image=len(labels) + np.arange(len(self.unknown)),
        )

    def _of_unknown_classes(self, images: np.ndarray) -> np.ndarray:
        """Return the scores of some images, int [k], as those of classes that are not learned."""
        if self.unknown_scores is None:
            return np.full(len(images), math.nan)
        return self.unknown_scores[images]

    def _folds_with_images(self) -> list[tuple[np.ndarray, View, np.ndarray]]:
        """Return the images of each fold, bool [n], its view, and the places of its support set."""
        return [
            (self.folds == fold, part, places)
            for fold, (part, places) in enumerate(zip(self.parts, self.places, strict=True))
            if len(part.embeddings)
        ]

    def _shift(self, part: View) -> float:
        """Return what is added to the scores of a fold's model.

        An encoder has no threshold. A model that had too few images to calibrate one takes the
        final model's.
        """
        return 0.0 if _takes_final(part.known, self.known) else self.known - part.known


def _takes_final(known: float, final: float) -> bool:
    """Return whether a fold's model takes the final one's threshold for the best class's score."""
    return DEFAULT_KNOWN in (known, final) or math.isnan(final)


def view_in_folds(found: OutOfFold, places: np.ndarray, final: View) -> FoldedView:
    """Return the view of test images that are in folds.

    Args:
        found: The out-of-fold results of all images.
        places: int [n], where the test images are in `found`.
        final: See `FoldedView`.
    """
    folds = found.folds[places]
    labels = found.labels
    sources = np.array([text_of(one) for one in found.sources.tolist()])
    parts = tuple(
        View(
            f"{final.model}, fold {fold + 1}",
            found.embeddings[places[folds == fold]],
            np.empty((0, found.embeddings.shape[1])),
            Support(
                model.support_embeddings,
                labels[model.support],
                sources[model.support],
                _scored_by(model, final),
            ),
            _Similarity(found, fold),
            found.same,
            model.known,
        )
        for fold, model in enumerate(found.models)
    )
    return FoldedView(
        folds,
        parts,
        tuple(model.support for model in found.models),
        Support(found.embeddings, labels, sources, final.support.scored_by),
        final,
        found.unknown_scores[places],
    )


def _scored_by(model: FoldModel, final: View) -> ScoredBy:
    """Return what a fold's model scores by: as the final one, if it takes its threshold."""
    return final.support.scored_by if _takes_final(model.known, final.known) else model.scored_by


class _Similarity:
    """The similarity of a fold's model."""

    def __init__(self, found: OutOfFold, fold: int) -> None:
        self._found, self._fold = found, fold

    def __call__(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return self._found.similarities(self._fold, left, right)


AnyView = View | FoldedView
"""A model's view of the test images, or that of a procedure whose images are in folds."""
