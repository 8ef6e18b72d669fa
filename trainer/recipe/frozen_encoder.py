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

from records import features, training_keys
from trainer.errors import TrainingError
from trainer.image_limits import MOST_SUPPORT_IMAGES, most_images
from trainer.network.backbone import build_backbone
from trainer.network.frozen_siamese import FrozenSiamese
from trainer.recipe.cached_features import CachedFeatures
from trainer.recipe.choice import FittedHead, Unlabelled, fit_best_head
from trainer.recipe.copies import copies_of_labelled
from trainer.recipe.cross_validation import LabelledFeatures
from trainer.recipe.folds import out_of_fold
from trainer.recipe.unlabelled_images import UnlabelledImages
from trainer.settings import Model, Tiles, Training
from trainer.training.distribution import memory_on_demand
from trainer.training.embedder import in_batches
from trainer.training.fit import Trained
from trainer.training.images import Images, concatenated, few_of_each_class, held_out, scan
from trainer.training.projector import write_projector
from trainer.training.reference_methods import raw_pixel_accuracy
from trainer.training.snapshot import load_snapshot, pooled_features, save_snapshot

MOST_FEATURES = 4096
"""Longest vector of features that a head is fitted on."""


class _Given(NamedTuple):
    """What a head is fitted to.

    Attributes:
        images: Those of the training split, then those of the validation split.
        training: Number of the former.
        labelled: Their labels and groups, without features.
        backbone: Frozen.
        cache: Its features of them, then of the unlabelled images.
        unlabelled: The latter; None if there are none.
        files: Where they are from.
    """

    images: Images
    training: int
    labelled: LabelledFeatures
    backbone: keras.Model
    cache: CachedFeatures
    unlabelled: Unlabelled | None
    files: UnlabelledImages | None

    def features(self, views: int) -> np.ndarray:
        """Return features float32 [n, v, d] of the labelled images."""
        return self.cache.of_views(views)[: len(self.images.labels)]


def train_frozen(
    model_settings: Model,
    settings: Training,
    image_size: int,
    train_files: Sequence[str],
    validation_files: Sequence[str],
    folder: str | Path,
    seed: int,
    tiles: Tiles,
    unlabelled: UnlabelledImages | None = None,
) -> Trained:
    """Fit the best head to all training and validation images; arguments as `train_by_recipe`.

    Raises:
        BackboneError, WeightsError: See `trainer.network.backbone`.
        TrainingError: The features are too long, or folds have too many images.
    """
    started = time.perf_counter()
    memory_on_demand()
    keras.utils.set_random_seed(seed)
    own = Path(folder) / "frozen_encoder"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    size = tiles.size(image_size)
    members, most = scan(train_files).members, most_images(image_size, tiles)
    if sum(map(len, members.values())) <= most:  # all of them, however unequal the classes
        most = len(members) * max(map(len, members.values()), default=0)
    training = few_of_each_class(train_files, members, size, most)
    _check_folds(training, sum(map(len, members.values())))
    held = held_out(validation_files, size).images
    backbone = build_backbone(model_settings, image_size, tiles)
    given = _given(training, held, unlabelled, backbone, model_settings)
    fitted = fit_best_head(given.features, given.labelled, settings, seed, _tell, given.unlabelled)
    _tell(f"chosen: {fitted.choice.name}")
    _tell(fitted.score.sentence())
    trained = _trained(fitted, given, model_settings, own)
    if (training.folds != features.NO_FOLD).any():
        found = out_of_fold(
            given.features, given.images, given.labelled, settings, seed, _support, fitted,
            given.unlabelled,
        )  # fmt: skip
        trained = trained._replace(out_of_fold=found)
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
        "score": fitted.score.summary(),
        "recipe": _described(fitted, given, settings),
        **_unlabelled(fitted, given),
    }
    return trained._replace(summary=summary)


def _check_folds(images: Images, there_are: int) -> None:
    """Refuse folds of more images than fit in memory: the others would not be judged."""
    if (images.folds != features.NO_FOLD).any() and len(images.folds) < there_are:
        raise TrainingError(
            f"only {len(images.folds)} of {there_are} images of this size fit in memory, and with "
            "folds all are learned from and judged; set splits.folds: null"
        )


def _given(
    training: Images,
    held: Images,
    unlabelled: UnlabelledImages | None,
    backbone: keras.Model,
    settings: Model,
) -> _Given:
    images = concatenated(training, held)
    pixels = images.pixels
    if unlabelled is not None:
        pixels = np.concatenate([pixels, unlabelled.pixels])
    cache = CachedFeatures(backbone, settings, pixels)
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
    others = None
    if unlabelled is not None:
        others = Unlabelled(
            lambda views: cache.of_views(views)[len(images.labels) :],
            copies_of_labelled(images, labelled.groups, unlabelled),
        )
    return _Given(images, len(training.labels), labelled, backbone, cache, others, unlabelled)


def _trained(fitted: FittedHead, given: _Given, settings: Model, folder: Path) -> Trained:
    """Return the network with a head that was fitted to all images."""
    images, labels, views = given.images, given.images.labels, fitted.choice.views
    cached = given.features(views)
    embeddings = fitted.embed(cached)
    write_projector(
        folder / "tensorboard",
        embeddings,
        images.pixels,
        labels,
        [features.TRAIN] * given.training + [features.VALIDATION] * (len(labels) - given.training),
        images.sources,
    )
    kept = _support(labels)
    support = images.only(kept)
    learned = list(images.content_hashes)
    if given.files is not None and fitted.choice.candidate.unlabelled:
        learned += given.files.content_hashes
    if settings.pooling == "avg":
        pretrained = cached[kept, 0]
    else:  # the reference method averages
        pretrained = in_batches(pooled_features(given.backbone))(support.pixels)
    save_snapshot(given.backbone, pretrained, folder)
    return Trained(
        FrozenSiamese(
            given.backbone,
            settings,
            views,
            fitted.head.matrix,
            fitted.head.offset,
            fitted.similarity,
        ),
        support,
        embeddings[kept],
        fitted.thresholds,
        training_keys.as_keys(learned),
        load_snapshot(folder),
        folder,
        {},
    )


def _support(labels: np.ndarray) -> np.ndarray:
    """Return the indices of equally many images per class, or of all of a class that has fewer."""
    classes = np.unique(labels)
    each = max(1, MOST_SUPPORT_IMAGES // len(classes))
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:each] for c in classes]))


def _unlabelled(fitted: FittedHead, given: _Given) -> dict[str, Any]:
    """Return what the unlabelled images were and whether they were used, for the summary."""
    if given.files is None or given.unlabelled is None:
        return {}
    files = given.files
    found = {
        "images": len(files.sources),
        "digest": files.digest(),
        "copies_of_labelled": int(np.count_nonzero(given.unlabelled.copy_of >= 0)),
        "used": fitted.choice.candidate.unlabelled,
    }
    return {"unlabelled": found}


def _tell(line: str) -> None:
    print(line, flush=True)


def _described(fitted: FittedHead, given: _Given, settings: Training) -> dict[str, Any]:
    """Return the choice for the summary."""
    best, tried = fitted.choice, fitted.tried
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
