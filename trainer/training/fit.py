"""Trains the network on pair blocks."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from judging.thresholds import CalibratedThresholds, known_threshold, same_threshold
from records import training_keys
from trainer.errors import TrainingError
from trainer.network.siamese import Siamese
from trainer.settings import Calibration, Model, Training
from trainer.training.callbacks.best_epoch import BestEpoch
from trainer.training.callbacks.epoch_seeds import EpochSeeds
from trainer.training.callbacks.freeze_backbone import FreezeBackbone
from trainer.training.callbacks.progress import Progress
from trainer.training.callbacks.stop_at_nan import StopAtNaN
from trainer.training.callbacks.validation import Validation
from trainer.training.curves import draw_curves
from trainer.training.distribution import ReplicatedSiamese, choose_strategy, worker_index
from trainer.training.images import Blocks, HeldOut, Images, few_of_each_class, held_out, scan
from trainer.training.input import training_blocks
from trainer.training.optimizer import build_optimizer
from trainer.training.projector import write_projector
from trainer.training.reference_methods import pretrained_encoder_accuracy, raw_pixel_accuracy
from trainer.training.snapshot import Snapshot, load_snapshot, pooled_features, save_snapshot

MOST_SUPPORT_IMAGES = 1000
"""Training images that the few-shot accuracy goes by, about: they are kept in memory."""

MONITOR = ("val_accuracy", "val_auc")
"""Choose the best epoch: by the few-shot accuracy, and of equal ones by the pairs' AUC."""


class Trained(NamedTuple):
    """What a training came to.

    Attributes:
        model: The network, with the weights that are kept.
        support: Training images, equally many of each class as far as it has them.
        support_embeddings: float32 [s, d], theirs.
        thresholds: Calibrated on the validation split.
        training_keys: int64 [m], of the training and validation images (`records.training_keys`).
        snapshot: The backbone before training.
        summary: `epochs`, `best_epoch` (from 1 on), `resumed_at` (epochs done before), `seconds`,
            `parameters`, `reference_methods`, `calibration` (the thresholds), and `history` (a list
            for each figure).
    """

    model: Siamese
    support: Images
    support_embeddings: np.ndarray
    thresholds: CalibratedThresholds
    training_keys: np.ndarray
    snapshot: Snapshot
    summary: dict[str, Any]


def train(
    model_settings: Model,
    settings: Training,
    image_size: int,
    train_files: Sequence[str],
    validation_files: Sequence[str],
    folder: str | Path,
) -> Trained:
    """Train a new network, or go on with the one that `folder` holds.

    `folder` gets `training.csv` (the figures of each epoch), `tensorboard/` and `curves.png`, and
    while it trains, what is needed to go on after a kill: at most one epoch is lost.

    Args:
        model_settings: The `model` section of the configuration.
        settings: The `training` section.
        image_size: Height and width in pixels.
        train_files: Gzipped TFRecords of pair blocks to learn from.
        validation_files: The same, plain pairs, to watch and to choose the best epoch by.
        folder: A local folder, for a training with just these settings.

    Raises:
        BackboneError, WeightsError: See `trainer.network.backbone`.
        TrainingError: There is nothing to train on, or the loss is no longer a number.
    """
    # The first thing: workers are found before TensorFlow computes anything.
    strategy = choose_strategy()
    keras.utils.set_random_seed(settings.seed)
    blocks = scan(train_files)
    held = held_out(validation_files, image_size)
    support = few_of_each_class(train_files, blocks.members, image_size, MOST_SUPPORT_IMAGES)
    replicas = strategy.num_replicas_in_sync if strategy else 1
    steps = _steps(blocks, settings, replicas)

    # Each machine keeps what it needs to go on; the first one's folder is the one that counts.
    own = Path(folder) if worker_index() == 0 else Path(folder) / f"worker-{worker_index()}"
    model = _build(model_settings, settings, image_size, steps, strategy)
    done = _epochs_done(own / "resume")
    if done == 0:
        shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True, exist_ok=True)
    embed = embedder(model)
    references = _reference_methods(own, model, support, held)
    best = BestEpoch(own, MONITOR, settings.patience, restore=settings.keep == "best")
    model.fit(
        _dataset(train_files, image_size, settings, blocks, done, steps, strategy),
        steps_per_epoch=steps,
        epochs=settings.epochs,
        callbacks=[
            Validation(support, held, embed),
            Progress(settings.epochs, steps, blocks.pairs),
            StopAtNaN(str(own / "resume")),
            best,
            EpochSeeds(),
            FreezeBackbone(settings.frozen_epochs, model_settings),
            keras.callbacks.CSVLogger(str(own / "training.csv"), append=True),
            keras.callbacks.TensorBoard(str(own / "tensorboard"), write_graph=False),
            # The last: an epoch is done when all that it leaves is written.
            keras.callbacks.BackupAndRestore(
                str(own / "resume"), double_checkpoint=True, delete_checkpoint=False
            ),
        ],
        shuffle=False,  # the dataset shuffles itself
        verbose=0,
    )
    history = _history(own / "training.csv")
    kept = best.epoch + 1 if settings.keep == "best" else None
    (own / "curves.png").write_bytes(draw_curves(history, kept, references))
    embeddings = embed(support.pixels), embed(held.images.pixels)
    _project(own / "tensorboard", embeddings, support, held.images)
    thresholds = _calibrate(settings.calibration, model, embeddings, support, held)
    shutil.rmtree(own / "resume", ignore_errors=True)
    return Trained(
        model,
        support,
        embeddings[0],
        thresholds,
        training_keys.as_keys(blocks.content_hashes.union(held.images.content_hashes)),
        load_snapshot(own),
        {
            "epochs": len(history["loss"]),
            "best_epoch": kept or len(history["loss"]),
            "resumed_at": done,
            "seconds": round(sum(history["seconds"]), 1),
            "parameters": model.count_params(),
            "reference_methods": {k: v for k, v in references.items() if v == v},
            "calibration": thresholds._asdict(),
            "history": history,
        },
    )


def embedder(model: Siamese, batch: int = 32) -> Callable[[np.ndarray], np.ndarray]:
    """A function from pixels, uint8 [n, size, size, 3], to embeddings, float32 [n, d].

    Args:
        model: The network; the function follows its weights.
        batch: Images encoded at once.
    """
    return _in_batches(
        tf.function(lambda x: model(x, training=False), reduce_retracing=True), batch
    )


def _in_batches(
    encode: Callable[[np.ndarray], tf.Tensor], batch: int
) -> Callable[[np.ndarray], np.ndarray]:
    def run(pixels: np.ndarray) -> np.ndarray:
        parts = [encode(pixels[i : i + batch]) for i in range(0, max(1, len(pixels)), batch)]
        return np.concatenate([np.asarray(part, "float32") for part in parts])

    return run


def _build(
    model_settings: Model,
    settings: Training,
    image_size: int,
    steps: int,
    strategy: tf.distribute.Strategy | None,
) -> Siamese:
    """The network, compiled, its optimizer ready for all weights."""
    policy = keras.config.dtype_policy()
    if settings.mixed_precision != "none":
        keras.config.set_dtype_policy(f"mixed_{settings.mixed_precision}")
    try:
        with strategy.scope() if strategy else nullcontext():
            kind = ReplicatedSiamese if strategy else Siamese
            replicas = strategy.num_replicas_in_sync if strategy else 1
            model = kind(model_settings, settings, image_size, replicas)
            optimizer = build_optimizer(
                settings, steps * settings.epochs, model_settings.pretrained
            )
            model.compile(optimizer=optimizer)
            # A frozen start must not hide weights from the optimizer that learn later.
            model.optimizer.build(model.trainable_variables)
    finally:
        keras.config.set_dtype_policy(policy)
    return model


def _steps(blocks: Blocks, settings: Training, replicas: int) -> int:
    """Training steps in an epoch."""
    if blocks.blocks == 0:
        raise TrainingError("the training split holds no pair block")
    if replicas == 1:
        return -(-blocks.blocks // settings.blocks_per_step)
    steps = blocks.blocks // replicas // settings.blocks_per_step
    if steps == 0:
        raise TrainingError(
            f"{blocks.blocks} pair blocks are too few for {replicas} devices with "
            f"training.blocks_per_step {settings.blocks_per_step} each; use fewer devices, or more "
            "blocks by pairs.train.passes"
        )
    return steps


_SHUFFLE_BYTES = 2**28


def _dataset(
    files: Sequence[str],
    image_size: int,
    settings: Training,
    blocks: Blocks,
    done: int,
    steps: int,
    strategy: tf.distribute.Strategy | None,
) -> Any:
    def dataset(shard: tuple[int, int, int] | None) -> tf.data.Dataset:
        return training_blocks(
            files,
            image_size,
            settings.blocks_per_step,
            settings.seed,
            shuffle_buffer=max(8, min(blocks.blocks, _SHUFFLE_BYTES // blocks.largest)),
            sides=settings.encoding == "each_side",
            shard=shard,
            skip=done * (shard[2] if shard else steps),
        )

    if strategy is None:
        return dataset(None)

    def of_machine(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = context.num_replicas_in_sync // context.num_input_pipelines
        return dataset((context.num_input_pipelines, context.input_pipeline_id, steps * here))

    return strategy.distribute_datasets_from_function(of_machine)


def _reference_methods(
    folder: Path, model: Siamese, support: Images, held: HeldOut
) -> dict[str, float]:
    """Few-shot accuracies that training has to beat; computed once, before it."""
    record = folder / "reference_methods.json"
    if record.is_file():
        return json.loads(record.read_text(encoding="utf-8"))
    backbone = model.encoder.get_layer("backbone")
    pooled = _in_batches(pooled_features(backbone), batch=32)
    features = pooled(support.pixels)
    values = {
        "raw pixels, nearest neighbour": raw_pixel_accuracy(support, held.images),
        "pretrained encoder, nearest centroid": pretrained_encoder_accuracy(
            features, support, pooled(held.images.pixels), held.images
        ),
    }
    save_snapshot(backbone, features, folder)
    unfinished = record.with_suffix(".tmp")
    unfinished.write_text(json.dumps(values), encoding="utf-8")
    os.replace(unfinished, record)
    return values


def _epochs_done(resume: Path) -> int:
    """Epochs that BackupAndRestore has kept."""
    record = resume / "training_metadata.json"
    try:
        return int(json.loads(record.read_text(encoding="utf-8"))["epoch"])
    except (OSError, ValueError, KeyError):  # none, or broken off while it was written
        return 0


def _history(log: Path) -> dict[str, list[float]]:
    """Each figure's values, one an epoch; of an epoch that was repeated, the later ones."""
    with log.open(encoding="utf-8", newline="") as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
    names = [name for name in next(iter(rows.values())) if name != "epoch"]
    return {name: [float(rows[epoch][name]) for epoch in sorted(rows)] for name in names}


def _project(
    folder: Path, embeddings: tuple[np.ndarray, np.ndarray], support: Images, held_out: Images
) -> None:
    write_projector(
        folder,
        np.concatenate(embeddings),
        np.concatenate([support.pixels, held_out.pixels]),
        np.concatenate([support.labels, held_out.labels]),
        ["train"] * len(support.pixels) + ["validation"] * len(held_out.pixels),
    )


def _calibrate(
    settings: Calibration,
    model: Siamese,
    embeddings: tuple[np.ndarray, np.ndarray],
    support: Images,
    held: HeldOut,
) -> CalibratedThresholds:
    known, validation = embeddings
    similarities = keras.ops.convert_to_numpy(
        model.similarity(validation[held.left], validation[held.right])
    )
    return CalibratedThresholds(
        same=same_threshold(similarities, held.target, settings.same_false_accepts),
        known=known_threshold(
            known,
            support.labels,
            validation,
            held.images.labels,
            settings.known_false_accepts,
        ),
    )
