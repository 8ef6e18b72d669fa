"""Chooses how a network is trained, and trains it: from cheap to costly, until it cannot pay."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from judging.probabilities import temperature_of_scores
from judging.thresholds import CalibratedThresholds, known_from_scores, same_threshold
from records import features as names
from records import training_keys
from trainer.errors import TrainingError
from trainer.network.backbone import build_backbone
from trainer.network.calibrated_cosine import calibrate_cosine
from trainer.network.frozen_siamese import FrozenSiamese
from trainer.recipe import heads
from trainer.recipe.cached_features import VIEWS, CachedFeatures
from trainer.recipe.cross_validation import (
    LabelledFeatures,
    OutOfFold,
    cross_validate,
    unknown_scores,
)
from trainer.recipe.heads import Candidate
from trainer.settings import ONE_TILE, Model, Tiles, Training
from trainer.training.distribution import memory_on_demand, worker_count
from trainer.training.embedder import in_batches
from trainer.training.fit import MOST_SUPPORT_IMAGES, Trained, train
from trainer.training.images import Images, concatenated, few_of_each_class, held_out, scan
from trainer.training.projector import write_projector
from trainer.training.reference_methods import raw_pixel_accuracy
from trainer.training.snapshot import load_snapshot, pooled_features, save_snapshot

MOST_PIXEL_BYTES = 2**31
"""Size of the images that are kept in memory; of more, equally many of each class are used."""

MOST_FEATURES = 4096
"""Longest vector of features that a head is fitted on."""

GOOD_ENOUGH = 0.95
"""Cross-validated accuracy from which on fine-tuning is not tried."""


LEAST_FOR_TUNING = 20
"""Images of the smallest class from which on fine-tuning is tried; fewer cannot show a gain."""


class Choice(NamedTuple):
    """A candidate and how it did in cross-validation.

    Attributes:
        candidate: How the head is fitted.
        views: Number of views of an image.
        found: What its heads say of images that they were not fitted on.
    """

    candidate: Candidate
    views: int
    found: OutOfFold

    @property
    def name(self) -> str:
        """What it is, in words."""
        kind = self.candidate.kind.replace("_", " ")
        if self.candidate.kind == "discriminant":
            kind += f", shrinkage {self.candidate.shrinkage:g}"
        return kind if self.views == 1 else f"{kind}, {self.views} views"


def train_by_recipe(
    model_settings: Model,
    settings: Training,
    image_size: int,
    train_files: Sequence[str],
    validation_files: Sequence[str],
    folder: str | Path,
    seed: int = 0,
    tiles: Tiles = ONE_TILE,
    searched: bool = False,
) -> Trained:
    """Train by `settings.recipe`.

    Args:
        model_settings: The `model` section of the configuration.
        settings: The `training` section.
        image_size: Height and width in pixels, of a tile if there are several.
        train_files: Gzipped TFRecords of pair blocks.
        validation_files: The same, plain pairs.
        folder: A local folder for a training with exactly these arguments.
        seed: Of the folds and of everything that fine-tuning draws.
        tiles: Of each image.
        searched: Whether the settings are a tuner's, which searches those of fine-tuning.

    Returns:
        The result; `summary["recipe"]` says what was chosen, why, and from which candidates.

    Raises:
        BackboneError, WeightsError, TrainingError: See `trainer.training.fit.train`.
    """
    arguments = (
        model_settings, settings, image_size, train_files, validation_files, folder, seed, tiles,
    )  # fmt: skip
    if why := _only_fine_tuning(model_settings, settings, searched):
        return _with_recipe(train(*arguments), {"name": "fine_tuned", "reason": why})
    frozen = _train_frozen(*arguments)
    recipe = frozen.summary["recipe"]
    if settings.recipe == "frozen_encoder" or not _tuning_can_pay(recipe):
        return frozen
    print(
        f"{recipe['accuracy']:.1%} are right in cross-validation: fine-tuning the whole network "
        "too",
        flush=True,
    )
    tuned = train(*arguments[:5], Path(folder) / "fine_tuned", *arguments[6:])
    return _better(frozen, tuned)


def _only_fine_tuning(model: Model, settings: Training, searched: bool) -> str:
    """Return why all weights are trained, or an empty text."""
    if settings.recipe == "fine_tuned":
        return "the configuration asks for it"
    if settings.recipe == "frozen_encoder":
        return ""
    if searched:
        return "the hyperparameters are those of fine-tuning"
    if not model.pretrained:
        return "there are no pretrained weights"
    if not model.article.normalize or settings.loss == "binary_crossentropy":
        return "the pair head trains the encoder (2019)"
    if model.pooling == "flatten":
        return "flattened features are too many for a closed-form head"
    if worker_count() > 1:
        return "several machines train together"
    return ""


def _tuning_can_pay(recipe: dict[str, Any]) -> bool:
    return recipe["accuracy"] < GOOD_ENOUGH and recipe["least_images"] >= LEAST_FOR_TUNING


def _with_recipe(trained: Trained, recipe: dict[str, Any]) -> Trained:
    return trained._replace(summary={**trained.summary, "recipe": recipe})


def _train_frozen(
    model_settings: Model,
    settings: Training,
    image_size: int,
    train_files: Sequence[str],
    validation_files: Sequence[str],
    folder: str | Path,
    seed: int,
    tiles: Tiles,
) -> Trained:
    """Fit the best head on features of the frozen backbone, to all training and validation images.

    Raises:
        BackboneError, WeightsError: See `trainer.network.backbone`.
        TrainingError: The features are too long.
    """
    started = time.perf_counter()
    memory_on_demand()
    keras.utils.set_random_seed(seed)
    own = Path(folder) / "frozen_encoder"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    size = tiles.size(image_size)
    members = scan(train_files).members
    most = max(MOST_SUPPORT_IMAGES, MOST_PIXEL_BYTES // (3 * math.prod(size)))
    fitted_on = few_of_each_class(train_files, members, size, most)
    held = held_out(validation_files, size).images
    images = concatenated(fitted_on, held)
    backbone = build_backbone(model_settings, image_size, tiles)
    cache = CachedFeatures(backbone, model_settings, images.pixels)
    if cache.of_views(1).shape[-1] > MOST_FEATURES:
        raise TrainingError(
            f"the backbone has {cache.of_views(1).shape[-1]} features, and training.recipe "
            f"'frozen_encoder' fits at most {MOST_FEATURES}; set model.pooling to 'avg', or the "
            "recipe to 'fine_tuned'"
        )
    known = set(fitted_on.labels.tolist())
    labelled = LabelledFeatures(
        np.empty(0),
        images.labels,
        images.numbered_groups(),
        new_classes=not set(held.labels.tolist()) <= known,
    )
    tried = _compare(cache, labelled, settings.views, seed)
    best = choose(tried)
    print(f"chosen: {best.name}", flush=True)
    trained = _fit(
        best,
        cache,
        labelled,
        images,
        backbone,
        model_settings,
        settings,
        seed,
        own,
        len(fitted_on.labels),
    )
    references = {"raw pixels, nearest neighbour": raw_pixel_accuracy(fitted_on, held)}
    summary = {
        "epochs": 0,
        "best_epoch": 0,
        "resumed_at": 0,
        "seconds": round(time.perf_counter() - started, 1),
        "parameters": trained.model.count_params(),
        "reference_methods": {k: v for k, v in references.items() if v == v},
        "calibration": trained.thresholds._asdict(),
        "history": {},
        "recipe": _described(best, tried, labelled.labels, len(fitted_on.labels), settings),
    }
    return trained._replace(summary=summary)


def _compare(
    cache: CachedFeatures, labelled: LabelledFeatures, views: int | str, seed: int
) -> list[Choice]:
    """Cross-validate all candidates, with more views as long as these are better."""
    tried: list[Choice] = []
    for count in VIEWS if views == "auto" else (int(views),):
        prepared = heads.in_span(heads.prepare(cache.of_views(count)))
        of_views = labelled._replace(prepared=prepared)
        before = choose(tried).found.accuracy if tried else -1.0
        for candidate in heads.CANDIDATES:
            one = Choice(candidate, count, cross_validate(candidate, of_views, seed))
            tried.append(one)
            print(
                f"{one.name}: accuracy {one.found.accuracy:.3f}, AUC of pairs {one.found.auc:.3f}",
                flush=True,
            )
        accuracy = choose(tried).found.accuracy
        if not before < accuracy < 1:
            break
    return tried


def choose(tried: Sequence[Choice]) -> Choice:
    """Return the choice with the best AUC of pairs, of those as accurate as the best.

    One standard error of the best accuracy is allowed for a better AUC with the same views (the
    rule of Breiman et al. 1984), so that pairs count where classes hardly differ. More views cost
    time in each query and are only chosen for more accuracy.
    """

    def accuracy(one: Choice) -> float:
        return -1.0 if math.isnan(one.found.accuracy) else one.found.accuracy

    best = max(tried, key=accuracy)
    counted = max(1, int(np.isfinite(best.found.right).sum()))
    share = max(0.0, accuracy(best))
    least = accuracy(best) - math.sqrt(share * (1 - share) / counted)
    equals = [one for one in tried if one.views == best.views and accuracy(one) >= least]
    return max(equals, key=lambda one: -1.0 if math.isnan(one.found.auc) else one.found.auc)


def _fit(
    best: Choice,
    cache: CachedFeatures,
    labelled: LabelledFeatures,
    images: Images,
    backbone: keras.Model,
    model_settings: Model,
    settings: Training,
    seed: int,
    folder: Path,
    fitted_on: int,
) -> Trained:
    """Fit the chosen head to all images, and calibrate it by its cross-validation."""
    features = cache.of_views(best.views)
    prepared = heads.prepare(features)
    head = best.candidate.fit(prepared, labelled.labels)
    found = best.found
    similarity = calibrate_cosine(found.cosines, found.same)
    logits = similarity.scale * found.cosines + similarity.offset
    in_span = labelled._replace(prepared=heads.in_span(prepared))
    thresholds = CalibratedThresholds(
        same=same_threshold(
            1 / (1 + np.exp(-logits)), found.same, settings.calibration.same_false_accepts
        ),
        known=known_from_scores(
            found.scores,
            unknown_scores(best.candidate, in_span, seed),
            settings.calibration.known_false_accepts,
        ),
        temperature=temperature_of_scores(found.class_scores, found.own),
    )
    model = FrozenSiamese(
        backbone, model_settings, best.views, head.matrix, head.offset, similarity
    )
    kept = _support(labelled.labels, MOST_SUPPORT_IMAGES)
    embeddings = head.embed(prepared).astype("float32")
    write_projector(
        folder / "tensorboard",
        embeddings,
        images.pixels,
        images.labels,
        [names.TRAIN] * fitted_on + [names.VALIDATION] * (len(embeddings) - fitted_on),
        images.sources,
    )
    support = images.only(kept)
    if model_settings.pooling == "avg":
        pretrained = features[kept, 0]
    else:  # the reference method averages
        pretrained = in_batches(pooled_features(backbone))(support.pixels)
    save_snapshot(backbone, pretrained, folder)
    return Trained(
        model,
        support,
        embeddings[kept],
        thresholds,
        training_keys.as_keys(images.content_hashes),
        load_snapshot(folder),
        folder,
        {},
    )


def _support(labels: np.ndarray, most: int) -> np.ndarray:
    """Return the indices of equally many images per class, or of all of a class that has fewer."""
    classes = np.unique(labels)
    each = max(1, most // len(classes))
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:each] for c in classes]))


def _described(
    best: Choice,
    tried: Sequence[Choice],
    labels: np.ndarray,
    fitted_on: int,
    settings: Training,
) -> dict[str, Any]:
    """Return the choice for the summary; the first `fitted_on` images are the training split's."""
    images = len(labels)
    simplest = tried[0]
    with np.errstate(invalid="ignore"):
        better = int(np.sum(best.found.right > simplest.found.right))
        worse = int(np.sum(best.found.right < simplest.found.right))
    return {
        "name": "frozen_encoder",
        "reason": "the configuration asks for it"
        if settings.recipe == "frozen_encoder"
        else f"{best.found.accuracy:.1%} of {images} images are right in cross-validation",
        "chosen": best.name,
        "images": images,
        "least_images": int(np.unique(labels, return_counts=True)[1].min()),
        "accuracy": best.found.accuracy,
        "of_validation": [x for x in best.found.right[fitted_on:].tolist() if math.isfinite(x)],
        "better": better,
        "worse": worse,
        "candidates": [
            {"name": one.name, "accuracy": one.found.accuracy, "auc": one.found.auc}
            for one in tried
        ],
    }


def _better(frozen: Trained, tuned: Trained) -> Trained:
    """Return the better of the two on the validation images, which neither was fitted on.

    The best of several epochs is chosen by these very images, so fine-tuning must be better by more
    than one standard error.
    """
    history = tuned.summary["history"].get("val_accuracy", [math.nan])
    accuracy = history[tuned.summary["best_epoch"] - 1]
    recipe = frozen.summary["recipe"]
    of_frozen = np.array(recipe["of_validation"] or [math.nan])
    error = math.sqrt(accuracy * (1 - accuracy) / len(of_frozen)) if accuracy == accuracy else 0.0
    compared = {"name": "fine-tuned", "accuracy": accuracy, "auc": math.nan}
    candidates = [*recipe["candidates"], compared]
    if accuracy > of_frozen.mean() + error:
        reason = (
            f"{accuracy:.1%} of the validation images are right, and {of_frozen.mean():.1%} with "
            "the frozen encoder"
        )
        shutil.rmtree(frozen.folder, ignore_errors=True)
        return _with_recipe(
            tuned,
            {
                **recipe,
                "name": "fine_tuned",
                "chosen": "fine-tuned",
                "reason": reason,
                "candidates": candidates,
            },
        )
    shutil.rmtree(tuned.folder, ignore_errors=True)
    return _with_recipe(frozen, {**recipe, "candidates": candidates})
