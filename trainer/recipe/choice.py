"""Chooses a head for cached features by cross-validation, fits it and calibrates it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from judging.classifier import class_scores
from judging.probabilities import temperature_of_scores
from judging.score_choice import ScoreChoice, choose_score
from judging.thresholds import CalibratedThresholds, known_from_scores, same_threshold
from trainer.network.calibrated_cosine import CalibratedCosine, calibrate_cosine
from trainer.recipe import heads
from trainer.recipe.cached_features import VIEWS
from trainer.recipe.cross_validation import (
    CrossValidated,
    LabelledFeatures,
    cross_validate,
    unknown_scores,
)
from trainer.recipe.heads import Candidate, Head
from trainer.settings import Training

FeaturesOfViews = Callable[[int], np.ndarray]
"""From a number of views v to features float32 [n, v, d]."""


class Unlabelled(NamedTuple):
    """Images without a class.

    Attributes:
        features: Of these images.
        copy_of: int [u], the group of a labelled image that one is a copy of, or -1.
    """

    features: FeaturesOfViews
    copy_of: np.ndarray

    def beside(self, groups: np.ndarray) -> Unlabelled:
        """Return those that are no copies of images of other groups than these."""
        kept = np.flatnonzero((self.copy_of < 0) | np.isin(self.copy_of, groups))
        return Unlabelled(lambda views: self.features(views)[kept], self.copy_of[kept])


class Choice(NamedTuple):
    """A candidate and how it did in cross-validation.

    Attributes:
        candidate: How the head is fitted.
        views: Number of views of an image.
        found: What its heads say of images that they were not fitted on.
    """

    candidate: Candidate
    views: int
    found: CrossValidated

    @property
    def name(self) -> str:
        """What it is, in words."""
        kind = self.candidate.kind.replace("_", " ")
        if self.candidate.kind == "discriminant":
            kind += f", shrinkage {self.candidate.shrinkage:g}"
        if self.candidate.unlabelled:
            kind += ", with unlabelled images"
        return kind if self.views == 1 else f"{kind}, {self.views} views"


class FittedHead(NamedTuple):
    """A head, and what was fitted to images that no head was fitted on.

    Attributes:
        choice: What was chosen.
        tried: What it was chosen from.
        head: Fitted to all images.
        similarity: Of two embeddings.
        thresholds: Of the similarity and of the best class's score.
        score: What a class's score is made of, and why.
    """

    choice: Choice
    tried: Sequence[Choice]
    head: Head
    similarity: CalibratedCosine
    thresholds: CalibratedThresholds
    score: ScoreChoice

    def embed(self, features: np.ndarray) -> np.ndarray:
        """Return embeddings float32 [n, d] of features float32 [n, v, d] of the chosen views."""
        return self.head.embed(heads.prepare(features)).astype("float32")


def fit_best_head(
    features: FeaturesOfViews,
    images: LabelledFeatures,
    settings: Training,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
    unlabelled: Unlabelled | None = None,
) -> FittedHead:
    """Choose a head by cross-validation, fit it to all images, and calibrate it.

    Args:
        features: Of the images.
        images: Their labels and groups; the features are not used.
        settings: The `training` section.
        seed: Of the folds of the cross-validation.
        tell: Gets a line for each candidate.
        unlabelled: Images without a class, if there are any.
    """
    tried = compare(features, images, settings.views, seed, tell)
    if unlabelled is not None and len(unlabelled.copy_of):
        views = choose(tried).views
        both = in_span(features(views), images, unlabelled, views)
        tried.append(_validated(heads.WITH_UNLABELLED, views, both, seed, tell))
    best = choose(tried)
    rows = features(best.views)
    semi = unlabelled if best.candidate.unlabelled else None
    similarity, thresholds, score = _calibrated(
        best, in_span(rows, images, semi, best.views), settings, seed
    )
    others = heads.prepare(semi.features(best.views)) if semi else None
    head = best.candidate.fit(heads.prepare(rows), images.labels, others)
    return FittedHead(best, tried, head, similarity, thresholds, score)


def in_span(
    rows: np.ndarray, images: LabelledFeatures, unlabelled: Unlabelled | None, views: int
) -> LabelledFeatures:
    """Return images with their features, and those of the unlabelled ones, in a common basis.

    Args:
        rows: float32 [n, v, d], the images' features.
        images: Their labels and groups.
        unlabelled: Images without a class, if there are any.
        views: v.
    """
    if unlabelled is None:
        return images._replace(prepared=heads.in_span(heads.prepare(rows)))
    every = np.concatenate([rows, unlabelled.features(views)])
    prepared = heads.in_span(heads.prepare(every))
    return images._replace(
        prepared=prepared[: len(rows)],
        unlabelled=prepared[len(rows) :],
        copy_of=unlabelled.copy_of,
    )


def compare(
    features: FeaturesOfViews,
    images: LabelledFeatures,
    views: int | str,
    seed: int,
    tell: Callable[[str], None],
) -> list[Choice]:
    """Cross-validate all candidates, with more views as long as these are better."""
    tried: list[Choice] = []
    for count in VIEWS if views == "auto" else (int(views),):
        of_views = in_span(features(count), images, None, count)
        before = choose(tried).found.accuracy if tried else -1.0
        for candidate in heads.CANDIDATES:
            tried.append(_validated(candidate, count, of_views, seed, tell))
        accuracy = choose(tried).found.accuracy
        if not before < accuracy < 1:
            break
    return tried


def _validated(
    candidate: Candidate,
    views: int,
    images: LabelledFeatures,
    seed: int,
    tell: Callable[[str], None],
) -> Choice:
    one = Choice(candidate, views, cross_validate(candidate, images, seed))
    tell(f"{one.name}: accuracy {one.found.accuracy:.3f}, AUC of pairs {one.found.auc:.3f}")
    return one


def choose(tried: Sequence[Choice]) -> Choice:
    """Return the choice with the best AUC of pairs, of those as accurate as the best.

    One standard error of the best accuracy is allowed for a better AUC with the same views (the
    rule of Breiman et al. 1984), so that pairs count where classes hardly differ. More views cost
    time in each query and are only chosen for more accuracy. Where nothing can be cross-validated,
    as with one image of each class, unlabelled images are used if there are any.
    """
    if tried[-1].candidate.unlabelled and all(math.isnan(x.found.accuracy) for x in tried):
        return tried[-1]

    def accuracy(one: Choice) -> float:
        return -1.0 if math.isnan(one.found.accuracy) else one.found.accuracy

    best = max(tried, key=accuracy)
    counted = max(1, int(np.isfinite(best.found.right).sum()))
    share = max(0.0, accuracy(best))
    least = accuracy(best) - math.sqrt(share * (1 - share) / counted)
    equals = [one for one in tried if one.views == best.views and accuracy(one) >= least]
    return max(equals, key=lambda one: -1.0 if math.isnan(one.found.auc) else one.found.auc)


def _calibrated(
    best: Choice, images: LabelledFeatures, settings: Training, seed: int
) -> tuple[CalibratedCosine, CalibratedThresholds, ScoreChoice]:
    """Calibrate by the cross-validation of the chosen candidate."""
    found, calibration = best.found, settings.calibration
    similarity = calibrate_cosine(found.cosines, found.same)
    logits = similarity.scale * found.cosines + similarity.offset
    unknown = unknown_scores(best.candidate, images, seed)
    scored = np.isfinite(unknown.cosine)
    unknown = unknown.only(scored)
    score = choose_score(found.scores, unknown, images.labels[scored])
    by = score.scored_by
    thresholds = CalibratedThresholds(
        same=same_threshold(1 / (1 + np.exp(-logits)), found.same, calibration.same_false_accepts),
        known=known_from_scores(
            found.scores.by(by), unknown.by(by), calibration.known_false_accepts
        ),
        temperature=temperature_of_scores(class_scores(found.class_cosines, by), found.own),
        scored_by=by,
    )
    return similarity, thresholds, score
