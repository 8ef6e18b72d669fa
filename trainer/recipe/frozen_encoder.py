"""Fits the best head on features of a frozen backbone, which sees each image once per view."""

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
from trainer.settings import Model, Tiles, Training
from trainer.training.distribution import memory_on_demand
from trainer.training.embedder import in_batches
from trainer.training.fit import MOST_SUPPORT_IMAGES, Trained
from trainer.training.images import Images, concatenated, few_of_each_class, held_out, scan
from trainer.training.projector import write_projector
from trainer.training.reference_methods import raw_pixel_accuracy
from trainer.training.snapshot import load_snapshot, pooled_features, save_snapshot

MOST_PIXEL_BYTES = 2**31
"""Size of the images that are kept in memory; of more, equally many of each class are used."""

MOST_FEATURES = 4096
"""Longest vector of features that a head is fitted on."""


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


class _Given(NamedTuple):
    """What a head is fitted to.

    Attributes:
        images: Those of the training split, then those of the validation split.
        training: Number of the former.
        labelled: Their labels and groups, without features.
        backbone: Frozen.
        cache: Its features of them.
    """

    images: Images
    training: int
    labelled: LabelledFeatures
    backbone: keras.Model
    cache: CachedFeatures


def train_frozen(
    model_settings: Model,
    settings: Training,
    image_size: int,
    train_files: Sequence[str],
    validation_files: Sequence[str],
    folder: str | Path,
    seed: int,
    tiles: Tiles,
) -> Trained:
    """Fit the best head to all training and validation images; arguments as `fit.train`.

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
    most = max(MOST_SUPPORT_IMAGES, MOST_PIXEL_BYTES // (3 * math.prod(size)))
    training = few_of_each_class(train_files, scan(train_files).members, size, most)
    held = held_out(validation_files, size).images
    given = _given(
        training, held, build_backbone(model_settings, image_size, tiles), model_settings
    )
    tried = _compare(given, settings.views, seed)
    best = choose(tried)
    print(f"chosen: {best.name}", flush=True)
    trained = _fit(best, given, model_settings, settings, seed, own)
    accuracy = raw_pixel_accuracy(training, held)
    summary = {
        "epochs": 0,
        "best_epoch": 0,
        "resumed_at": 0,
        "seconds": round(time.perf_counter() - started, 1),
        "parameters": trained.model.count_params(),
        "reference_methods": (
            {} if math.isnan(accuracy) else {"raw pixels, nearest neighbour": accuracy}
        ),
        "calibration": trained.thresholds._asdict(),
        "history": {},
        "recipe": _described(best, tried, given, settings),
    }
    return trained._replace(summary=summary)


def _given(training: Images, held: Images, backbone: keras.Model, settings: Model) -> _Given:
    images = concatenated(training, held)
    cache = CachedFeatures(backbone, settings, images.pixels)
    if (length := cache.of_views(1).shape[-1]) > MOST_FEATURES:
        raise TrainingError(
            f"the backbone has {length} features, and training.recipe 'frozen_encoder' fits at "
            f"most {MOST_FEATURES}; set model.pooling to 'avg', or the recipe to 'fine_tuned'"
        )
    labelled = LabelledFeatures(
        np.empty(0),
        images.labels,
        images.numbered_groups(),
        new_classes=not set(held.labels) <= set(training.labels),
    )
    return _Given(images, len(training.labels), labelled, backbone, cache)


def _compare(given: _Given, views: int | str, seed: int) -> list[Choice]:
    """Cross-validate all candidates, with more views as long as these are better."""
    tried: list[Choice] = []
    for count in VIEWS if views == "auto" else (int(views),):
        prepared = heads.in_span(heads.prepare(given.cache.of_views(count)))
        of_views = given.labelled._replace(prepared=prepared)
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
    given: _Given,
    model_settings: Model,
    settings: Training,
    seed: int,
    folder: Path,
) -> Trained:
    """Fit the chosen head to all images, and calibrate it by its cross-validation."""
    images, labels = given.images, given.images.labels
    features = given.cache.of_views(best.views)
    prepared = heads.prepare(features)
    head = best.candidate.fit(prepared, labels)
    found, calibration = best.found, settings.calibration
    similarity = calibrate_cosine(found.cosines, found.same)
    logits = similarity.scale * found.cosines + similarity.offset
    unknown = unknown_scores(
        best.candidate, given.labelled._replace(prepared=heads.in_span(prepared)), seed
    )
    thresholds = CalibratedThresholds(
        same=same_threshold(1 / (1 + np.exp(-logits)), found.same, calibration.same_false_accepts),
        known=known_from_scores(found.scores, unknown, calibration.known_false_accepts),
        temperature=temperature_of_scores(found.class_scores, found.own),
    )
    embeddings = head.embed(prepared).astype("float32")
    write_projector(
        folder / "tensorboard",
        embeddings,
        images.pixels,
        labels,
        [names.TRAIN] * given.training + [names.VALIDATION] * (len(labels) - given.training),
        images.sources,
    )
    kept = _support(labels, MOST_SUPPORT_IMAGES)
    support = images.only(kept)
    if model_settings.pooling == "avg":
        pretrained = features[kept, 0]
    else:  # the reference method averages
        pretrained = in_batches(pooled_features(given.backbone))(support.pixels)
    save_snapshot(given.backbone, pretrained, folder)
    return Trained(
        FrozenSiamese(
            given.backbone, model_settings, best.views, head.matrix, head.offset, similarity
        ),
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
    best: Choice, tried: Sequence[Choice], given: _Given, settings: Training
) -> dict[str, Any]:
    """Return the choice for the summary."""
    images = len(given.images.labels)
    of_validation = best.found.right[given.training :]
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
        "least_images": int(np.unique(given.images.labels, return_counts=True)[1].min()),
        "accuracy": best.found.accuracy,
        "of_validation": of_validation[np.isfinite(of_validation)].tolist(),
        "better": better,
        "worse": worse,
        "candidates": [
            {"name": one.name, "accuracy": one.found.accuracy, "auc": one.found.auc}
            for one in tried
        ],
    }
