"""Trains the network on pair blocks."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from judging.thresholds import CalibratedThresholds
from records import training_keys
from records.out_of_fold import OutOfFold
from trainer.errors import TrainingError
from trainer.image_limits import MOST_SUPPORT_IMAGES
from trainer.network.frozen_siamese import FrozenSiamese
from trainer.network.siamese import Siamese
from trainer.settings import ONE_TILE, Model, Tiles, Training
from trainer.training.calibration import calibrate
from trainer.training.callbacks.best_epoch import BestEpoch
from trainer.training.callbacks.epoch_seeds import EpochSeeds
from trainer.training.callbacks.freeze_backbone import FreezeBackbone, unfreezing
from trainer.training.callbacks.progress import Progress
from trainer.training.callbacks.stop_at_nan import StopAtNaN
from trainer.training.callbacks.validation import Validation
from trainer.training.distribution import ReplicatedSiamese, choose_strategy, worker_folder
from trainer.training.embedder import embedder
from trainer.training.images import Blocks, HeldOut, Images, few_of_each_class, held_out, scan
from trainer.training.input import training_blocks
from trainer.training.optimizer import build_optimizer
from trainer.training.projector import write_projector
from trainer.training.reference_methods import reference_methods
from trainer.training.refit_blocks import write_blocks_like
from trainer.training.snapshot import Snapshot, load_snapshot

MONITOR = ("val_accuracy", "val_auc")
"""Choose the best epoch: few-shot accuracy, then the AUC of the pairs."""

_SHUFFLE_BYTES = 2**28


class Trained(NamedTuple):
    """The result of a training.

    Attributes:
        model: The network, with the weights that are kept.
        support: Training images, equally many per class where available.
        support_embeddings: float32 [s, d], theirs.
        thresholds: Calibrated on the validation split.
        training_keys: int64 [m], of the training and validation images (`records.training_keys`).
        snapshot: The backbone before training.
        folder: Where `training.csv`, `tensorboard/` and the snapshot are.
        summary: `epochs`, `best_epoch` (from 1 on), `resumed_at` (epochs done before), `seconds`,
            `parameters`, `reference_methods`, `calibration` (the thresholds), `score`
            (`ScoreChoice.summary`), `history` (a list per metric, one value per epoch), and after a
            refit `refit` (numbers of `train` and `validation` images).
        out_of_fold: With folds, what models say of the images that they have not learned from.
    """

    model: Siamese | FrozenSiamese
    support: Images
    support_embeddings: np.ndarray
    thresholds: CalibratedThresholds
    training_keys: np.ndarray
    snapshot: Snapshot
    folder: Path
    summary: dict[str, Any]
    out_of_fold: OutOfFold | None = None


class _Job(NamedTuple):
    """What is trained, by which settings, on what."""

    model_settings: Model
    settings: Training
    seed: int
    image_size: int
    tiles: Tiles
    files: Sequence[str]
    blocks: Blocks
    support: Images
    held: HeldOut
    strategy: tf.distribute.Strategy | None

    @property
    def replicas(self) -> int:
        return self.strategy.num_replicas_in_sync if self.strategy else 1


def train(
    model_settings: Model,
    settings: Training,
    image_size: int,
    train_files: Sequence[str],
    validation_files: Sequence[str],
    folder: str | Path,
    seed: int = 0,
    tiles: Tiles = ONE_TILE,
    pays: Callable[[dict[str, Any]], bool] = lambda _: True,
) -> Trained:
    """Train a new network, or resume the training that `folder` holds.

    A killed training loses at most one epoch.

    Args:
        model_settings: The `model` section of the configuration.
        settings: The `training` section.
        image_size: Height and width in pixels, of a tile if there are several.
        train_files: TFRecords of pair blocks.
        validation_files: The same, plain pairs, to choose the best epoch and the thresholds.
        folder: A local folder for a training with exactly these arguments. Machines that train
            together may share it.
        seed: For the initial weights, the order of the blocks and the augmentation.
        tiles: Of each image.
        pays: Whether `settings.refit` is to be followed, by the summary.

    Raises:
        BackboneError, WeightsError: See `trainer.network.backbone`.
        TrainingError: There is nothing to train on, or the loss is NaN or infinite.
    """
    # First of all: TensorFlow must not compute anything before it knows the other workers.
    strategy = choose_strategy()
    keras.utils.set_random_seed(seed)
    blocks = scan(train_files)
    size = tiles.size(image_size)
    support = few_of_each_class(train_files, blocks.members, size, MOST_SUPPORT_IMAGES)
    held = held_out(validation_files, size)
    job = _Job(
        model_settings, settings, seed, image_size, tiles, train_files, blocks, support, held,
        strategy,
    )  # fmt: skip
    steps = _steps(job)
    model = _build(job, steps)

    own = worker_folder(Path(folder))
    done = _epochs_done(own / "resume")
    if done == 0:
        shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True, exist_ok=True)
    backbone = model.encoder.get_layer("backbone")
    references = reference_methods(own, backbone, support, held.images)
    best = BestEpoch(
        own,
        MONITOR,
        settings.patience,
        restore=settings.keep == "best",
        same_from=unfreezing(settings, model_settings).last_change(settings.epochs),
    )
    model.fit(
        _dataset(job, steps, done),
        steps_per_epoch=steps,
        # A resumed training may have been stopped early, and killed after that.
        epochs=done if done and best.exhausted(done - 1) else settings.epochs,
        callbacks=_callbacks(job, model, steps, best, own),
        shuffle=False,  # the dataset shuffles itself
        verbose=0,
    )
    trained = _result(job, model, best, references, done, own)
    if settings.refit and pays(trained.summary):
        trained = _refitted(job, trained, own)
    shutil.rmtree(own / "resume", ignore_errors=True)
    return trained


def _steps(job: _Job) -> int:
    """Training steps per epoch."""
    blocks, per_step = job.blocks.blocks, job.settings.blocks_per_step
    if blocks == 0:
        raise TrainingError("the training split holds no pair block; add images")
    if job.replicas == 1:
        return -(-blocks // per_step)
    steps = blocks // job.replicas // per_step
    if steps == 0:
        raise TrainingError(
            f"{blocks} pair blocks are too few for {job.replicas} devices with "
            f"training.blocks_per_step {per_step} each; use fewer devices, or increase "
            "pairs.train.passes"
        )
    return steps


def _build(job: _Job, steps: int) -> Siamese:
    """The compiled network, with an optimizer that knows all weights."""
    settings = job.settings
    policy = keras.config.dtype_policy()
    if settings.mixed_precision != "none":
        keras.config.set_dtype_policy(f"mixed_{settings.mixed_precision}")
    try:
        with job.strategy.scope() if job.strategy else nullcontext():
            kind = ReplicatedSiamese if job.strategy else Siamese
            model = kind(
                job.model_settings, settings, job.image_size, job.seed, job.replicas, job.tiles
            )
            model.compile(
                optimizer=build_optimizer(
                    settings,
                    steps * settings.epochs,
                    job.model_settings.pretrained,
                    replicated=job.strategy is not None,
                )
            )
            # A backbone that is frozen at first must not hide its weights from the optimizer.
            model.optimizer.build(model.trainable_variables)
    finally:
        keras.config.set_dtype_policy(policy)
    return model


def _dataset(job: _Job, steps: int, done: int) -> Any:
    def dataset(shard: tuple[int, int, int] | None) -> tf.data.Dataset:
        return training_blocks(
            job.files,
            job.tiles.size(job.image_size),
            job.settings.blocks_per_step,
            job.seed,
            shuffle_buffer=max(8, min(job.blocks.blocks, _SHUFFLE_BYTES // job.blocks.largest)),
            two_passes=job.settings.article.two_passes,
            shard=shard,
            skip=done * (shard[2] if shard else steps),
        )

    if job.strategy is None:
        return dataset(None)

    def of_machine(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = context.num_replicas_in_sync // context.num_input_pipelines
        return dataset((context.num_input_pipelines, context.input_pipeline_id, steps * here))

    return job.strategy.distribute_datasets_from_function(of_machine)


def _callbacks(
    job: _Job, model: Siamese, steps: int, best: BestEpoch, folder: Path
) -> list[keras.callbacks.Callback]:
    return [
        Validation(job.support, job.held, embedder(model)),
        Progress(job.settings.epochs, steps, job.blocks.pairs),
        best,
        keras.callbacks.CSVLogger(str(folder / "training.csv"), append=True),
        keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False),
        *_of_every_training(job, folder),
    ]


def _of_every_training(job: _Job, folder: Path) -> list[keras.callbacks.Callback]:
    resume = str(folder / "resume")
    return [
        StopAtNaN(resume),
        EpochSeeds(),
        FreezeBackbone(unfreezing(job.settings, job.model_settings), job.model_settings),
        # Last: an epoch is done when everything else about it is written.
        keras.callbacks.BackupAndRestore(resume, double_checkpoint=True, delete_checkpoint=False),
    ]


def _refitted(job: _Job, first: Trained, folder: Path) -> Trained:
    """Train again from the start, up to the chosen epoch, on the validation images too.

    Thresholds and the calibration of the similarity stay: no image is left to fit them to. So does
    the support set, which they were fitted with.
    """
    assert isinstance(first.model, Siamese)
    started, epochs = time.perf_counter(), first.summary["best_epoch"]
    own = folder / "refit"
    done = _epochs_done(own / "resume")
    images = {
        "train": sum(map(len, job.blocks.members.values())),
        "validation": len(job.held.images.ids),
    }
    print(
        f"training again from the start, on {images['train']} training and "
        f"{images['validation']} validation images, up to epoch {epochs}",
        flush=True,
    )
    more = write_blocks_like(job.blocks, job.held.images, own / "validation.tfrecord", job.seed)
    files = [*job.files, more]
    job = job._replace(files=files, blocks=scan(files))
    keras.utils.set_random_seed(job.seed)
    steps = _steps(job)
    model = _build(job, steps)
    model.fit(
        _dataset(job, steps, done),
        steps_per_epoch=steps,
        epochs=epochs,
        callbacks=[Progress(epochs, steps, job.blocks.pairs), *_of_every_training(job, own)],
        shuffle=False,
        verbose=0,
    )
    model.cosine = first.model.cosine
    embed = embedder(model)
    support = embed(job.support.pixels)
    _write_projector(job, support, embed(job.held.images.pixels), folder / "tensorboard")
    seconds = round(first.summary["seconds"] + time.perf_counter() - started, 1)
    return first._replace(
        model=model,
        support_embeddings=support,
        summary={**first.summary, "seconds": seconds, "refit": images},
    )


def _epochs_done(resume: Path) -> int:
    """Epochs that BackupAndRestore has saved."""
    record = resume / "training_metadata.json"
    try:
        return int(json.loads(record.read_text(encoding="utf-8"))["epoch"])
    except (OSError, ValueError, KeyError):  # missing, or cut off while it was written
        return 0


def _result(
    job: _Job,
    model: Siamese,
    best: BestEpoch,
    references: dict[str, float],
    done: int,
    folder: Path,
) -> Trained:
    embed = embedder(model)
    support, validation = embed(job.support.pixels), embed(job.held.images.pixels)
    _write_projector(job, support, validation, folder / "tensorboard")
    thresholds, score = calibrate(
        model, support, job.support.labels, validation, job.held, job.settings.calibration
    )
    history = _history(folder / "training.csv")
    epochs = len(history["loss"])
    hashes = job.blocks.content_hashes.union(job.held.images.content_hashes)
    return Trained(
        model,
        job.support,
        support,
        thresholds,
        training_keys.as_keys(hashes),
        load_snapshot(folder),
        folder,
        {
            "epochs": epochs,
            "best_epoch": best.epoch + 1 if job.settings.keep == "best" else epochs,
            "resumed_at": done,
            "seconds": round(sum(history["seconds"]), 1),
            "parameters": model.count_params(),
            "reference_methods": {k: v for k, v in references.items() if v == v},
            "calibration": thresholds._asdict(),
            "score": score.summary(),
            "history": history,
        },
    )


def _write_projector(job: _Job, support: np.ndarray, validation: np.ndarray, folder: Path) -> None:
    sides = job.support, job.held.images
    write_projector(
        folder,
        np.concatenate([support, validation]),
        np.concatenate([images.pixels for images in sides]),
        np.concatenate([images.labels for images in sides]),
        ["train"] * len(support) + ["validation"] * len(validation),
        [source for images in sides for source in images.sources],
    )


def _history(log: Path) -> dict[str, list[float]]:
    """Each metric's values, one per epoch; of a repeated epoch, the later ones."""
    with log.open(encoding="utf-8", newline="") as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
    names = [name for name in next(iter(rows.values())) if name != "epoch"]
    return {name: [float(rows[epoch][name]) for epoch in sorted(rows)] for name in names}
