"""Lets models judge images that they have not learned from: the same procedure for each fold."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from judging.classifier import nearest_centroid
from records import training_keys
from records.out_of_fold import FoldModel, OutOfFold
from trainer.recipe.choice import (
    FeaturesOfViews,
    FittedHead,
    Unlabelled,
    fit_best_head,
    in_span,
)
from trainer.recipe.cross_validation import LabelledFeatures, unknown_scores
from trainer.settings import Training
from trainer.training.images import Images


def out_of_fold(
    features: FeaturesOfViews,
    images: Images,
    labelled: LabelledFeatures,
    settings: Training,
    seed: int,
    most_support: Callable[[np.ndarray], np.ndarray],
    final: FittedHead,
    unlabelled: Unlabelled | None = None,
) -> OutOfFold:
    """Fit a head for each fold, on the images of the other folds, and embed the fold with it.

    Candidates are compared and thresholds calibrated within the other folds, so that nothing about
    the judged images is known.

    Args:
        features: Of all images.
        images: All images.
        labelled: Their labels and groups.
        settings: The `training` section.
        seed: As for the final model.
        most_support: From labels to the indices of the images that are kept as support.
        final: The head that was fitted to all images.
        unlabelled: Images without a class, if there are any. A fold's model does not see those that
            are copies of images of the fold.
    """
    folds = images.folds
    numbers = np.unique(folds)

    @functools.cache  # of the same number of views for most folds
    def prepared(views: int, semi: bool) -> LabelledFeatures:
        return in_span(features(views), labelled, unlabelled if semi else None, views)

    embeddings = np.zeros((len(folds), final.head.matrix.shape[1]), "float32")
    unknown = np.full(len(folds), math.nan)
    models: list[FoldModel] = []
    for fold in numbers:
        learned, judged = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        fitted = fit_best_head(
            _features_of(features, learned),
            labelled.only(learned),
            settings,
            seed,
            unlabelled=unlabelled and unlabelled.beside(labelled.groups[learned]),
        )
        rows = features(fitted.choice.views)
        embeddings[judged] = fitted.embed(rows[judged])
        support = learned[most_support(images.labels[learned])]
        of_support = fitted.embed(rows[support])
        answers = nearest_centroid(of_support, images.labels[support], embeddings[judged])
        right = np.count_nonzero(answers == images.labels[judged])
        print(
            f"fold {len(models) + 1} of {len(numbers)}: {fitted.choice.name}; "
            f"{right} of {len(judged)} images right",
            flush=True,
        )
        every = prepared(fitted.choice.views, fitted.choice.candidate.unlabelled)
        unknown[judged] = unknown_scores(
            fitted.choice.candidate, every.only(learned), seed, every.only(judged)
        ).by(fitted.thresholds.scored_by)
        models.append(
            FoldModel(
                support,
                of_support,
                fitted.thresholds.same,
                fitted.thresholds.known,
                fitted.similarity.scale,
                fitted.similarity.offset,
                fitted.thresholds.scored_by,
            )
        )
    return OutOfFold(
        np.array(images.ids),
        images.labels,
        np.array(images.sources),
        np.array([training_keys.key(one) for one in images.content_hashes], "int64"),
        np.asarray(np.searchsorted(numbers, folds)),
        embeddings,
        unknown,
        tuple(models),
        final.thresholds.same,
        final.thresholds.known,
    )


def _features_of(features: FeaturesOfViews, places: np.ndarray) -> FeaturesOfViews:
    return lambda views: features(views)[places]
