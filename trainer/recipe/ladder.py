"""Chooses how a network is trained, and trains it: from cheap to costly, until it cannot pay."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trainer.errors import TrainingError
from trainer.recipe.conditions import only_fine_tuning
from trainer.recipe.frozen_encoder import train_frozen
from trainer.recipe.unlabelled_images import UnlabelledImages
from trainer.settings import ONE_TILE, Model, Tiles, Training
from trainer.training.distribution import worker_count
from trainer.training.fit import Trained, train

GOOD_ENOUGH = 0.95
"""Cross-validated accuracy from which on fine-tuning is not tried."""

LEAST_FOR_TUNING = 20
"""Images of the smallest class from which on fine-tuning is tried; fewer cannot show a gain."""


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
    in_folds: bool = False,
    unlabelled: UnlabelledImages | None = None,
) -> Trained:
    """Train by `settings.recipe`.

    Args:
        model_settings: The `model` section of the configuration.
        settings: The `training` section.
        image_size: Height and width in pixels, of a tile if there are several.
        train_files: TFRecords of pair blocks.
        validation_files: The same, plain pairs; none with folds.
        folder: A local folder for a training with exactly these arguments.
        seed: Of the folds and of everything that fine-tuning draws.
        tiles: Of each image.
        searched: Whether the settings are a tuner's, which searches those of fine-tuning.
        in_folds: Whether the images are in folds (`features.FOLD`): they are judged by models that
            learned from the other folds, and the model learns from all. Fine-tuning is not tried,
            which would take a training for each fold.
        unlabelled: Images without a class, for heads of the frozen encoder.

    Returns:
        The result; `summary["recipe"]` says what was chosen, why, and from which candidates.

    Raises:
        BackboneError, WeightsError, TrainingError: See `trainer.training.fit.train`.
    """
    arguments = (
        model_settings, settings, image_size, train_files, validation_files, folder, seed, tiles,
    )  # fmt: skip
    why = only_fine_tuning(model_settings, settings, searched)
    if not why and settings.recipe == "auto" and worker_count() > 1:
        why = "several machines train together"
    if why and in_folds:
        raise TrainingError(
            f"folds need a frozen encoder, and all weights are trained, since {why}; set "
            "splits.folds: null"
        )
    if why and unlabelled is not None:
        raise TrainingError(
            f"data.unlabelled needs a frozen encoder, and all weights are trained, since {why}; "
            "leave it out"
        )
    if why:
        return _with_recipe(train(*arguments), {"name": "fine_tuned", "reason": why})
    frozen = train_frozen(*arguments, unlabelled)
    recipe = frozen.summary["recipe"]
    if settings.recipe == "frozen_encoder" or in_folds or not _tuning_can_pay(recipe):
        if settings.refit:
            print(
                "training.refit: nothing to train again; the frozen encoder's head is fitted to "
                "the validation images too",
                flush=True,
            )
        return frozen
    print(
        f"{recipe['accuracy']:.1%} are right in cross-validation: fine-tuning the whole network "
        "too",
        flush=True,
    )
    tuned = train(
        *arguments[:5],
        Path(folder) / "fine_tuned",
        *arguments[6:],
        lambda summary: _compared(frozen, summary).tuned_is_better,
    )
    return _better(frozen, tuned)


def _tuning_can_pay(recipe: dict[str, Any]) -> bool:
    return recipe["accuracy"] < GOOD_ENOUGH and recipe["least_images"] >= LEAST_FOR_TUNING


def _with_recipe(trained: Trained, recipe: dict[str, Any]) -> Trained:
    return trained._replace(summary={**trained.summary, "recipe": recipe})


class _Compared(NamedTuple):
    """Accuracies on the validation images, which neither was fitted on."""

    tuned: float
    frozen: float
    images: int

    @property
    def tuned_is_better(self) -> bool:
        """Whether by more than one standard error, since these very images chose the epoch."""
        spread = self.tuned * (1 - self.tuned)
        error = math.sqrt(spread / self.images) if spread == spread else 0.0
        return self.tuned > self.frozen + error


def _compared(frozen: Trained, of_tuned: dict[str, Any]) -> _Compared:
    history = of_tuned["history"].get("val_accuracy", [math.nan])
    of_frozen = np.array(frozen.summary["recipe"]["of_validation"] or [math.nan])
    return _Compared(history[of_tuned["best_epoch"] - 1], float(of_frozen.mean()), len(of_frozen))


def _better(frozen: Trained, tuned: Trained) -> Trained:
    recipe, found = frozen.summary["recipe"], _compared(frozen, tuned.summary)
    compared = {"name": "fine-tuned", "accuracy": found.tuned, "auc": math.nan}
    candidates = [*recipe["candidates"], compared]
    if found.tuned_is_better:
        reason = (
            f"{found.tuned:.1%} of the validation images are right, and {found.frozen:.1%} with "
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
