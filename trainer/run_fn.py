"""Entry point of TFX's Trainer: trains the network and exports the served model."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from records import features
from records.out_of_fold_file import write_out_of_fold
from storage.enrolled_images import EnrolledImage, write_enrolled_images
from trainer.export.carry_over import carry_over, images_to_carry_over
from trainer.export.pretrained_encoder import FOLDER, PretrainedEncoder
from trainer.export.safe_pixels import safe_pixels
from trainer.export.signatures import ServedModel
from trainer.export.support_set import SupportSet
from trainer.export.warmup import write_warmup
from trainer.recipe.ladder import train_by_recipe
from trainer.recipe.unlabelled_images import read_unlabelled
from trainer.search.search_space import apply
from trainer.settings import Model, Tiles, Training
from trainer.training.distribution import worker_index
from trainer.training.fit import Trained
from trainer.training.unfinished import unfinished_folder

ENCODER = "encoder.keras"
"""Name of the trained encoder's file in the Trainer's `model_run`."""

UNLABELLED = "unlabelled.json"
"""Name of the file there that says what the unlabelled images were."""

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs


def run_fn(fn_args: FnArgs) -> None:
    """Train on the pair blocks and export the served model.

    Of several workers (TF_CONFIG), only the first one's outputs are kept.

    Args:
        fn_args: TFX's arguments. `custom_config` holds `image_size`, `max_pixels` (height times
            width of the largest image that the served model decodes), `seed`, `unfinished` (folder
            for what is needed to resume after a kill), `served` (base path of the served model,
            whose enrolled classes are carried over; may be empty), `folds` (their number, or 0),
            `unlabelled` (folder of unlabelled images; may be empty) and, as JSON texts, `tiles` and
            the sections `model` and `training` of the configuration; `hyperparameters`, if any,
            override these.
    """
    custom = fn_args.custom_config
    # Before the training, so that what cannot be carried over is known at once.
    enrolled = images_to_carry_over(custom.get("served", ""), int(custom["max_pixels"]))
    hyperparameters = (fn_args.hyperparameters or {}).get("values", {})
    model_settings, training = apply(
        hyperparameters,
        Model.model_validate_json(custom["model"]),
        Training.model_validate_json(custom["training"]),
    )
    unfinished = unfinished_folder(
        custom["unfinished"],
        fn_args.train_files,
        fn_args.eval_files,
        hyperparameters,
        # An enrolment does not change the training.
        {name: value for name, value in custom.items() if name not in ("served", "enrolled")},
    )
    in_folds = bool(int(custom["folds"]))
    unlabelled = None
    # Not without need: loading a graph first would keep several workers from connecting.
    if folder := custom.get("unlabelled", ""):
        preprocessing = _preprocessing(fn_args.transform_graph_path, custom)
        decode = functools.partial(safe_pixels, **preprocessing)
        unlabelled = read_unlabelled(folder, decode, int(custom["max_pixels"]))
    trained = train_by_recipe(
        model_settings,
        training,
        int(custom["image_size"]),
        tf.io.gfile.glob(fn_args.train_files),
        [] if in_folds else tf.io.gfile.glob(fn_args.eval_files),
        unfinished,
        int(custom["seed"]),
        Tiles.model_validate_json(custom["tiles"]),
        searched=bool(hyperparameters),
        in_folds=in_folds,
        unlabelled=unlabelled,
    )
    with _destinations(fn_args) as (model_folder, run_folder):
        preprocessing = _preprocessing(fn_args.transform_graph_path, custom)
        carried_over = _export(trained, enrolled, preprocessing, model_folder, run_folder)
        _copy_logs(trained.folder, run_folder)
        if unlabelled is not None:
            with tf.io.gfile.GFile(os.path.join(run_folder, UNLABELLED), "w") as file:
                json.dump(unlabelled.lineage(), file, indent=1)
        with tf.io.gfile.GFile(os.path.join(run_folder, "training.json"), "w") as file:
            found = {"hyperparameters": hyperparameters, "enrolled": carried_over}
            json.dump({**trained.summary, **found}, file, indent=2)
    shutil.rmtree(trained.folder)
    with contextlib.suppress(OSError):  # of other workers, or of a search
        unfinished.rmdir()


@contextlib.contextmanager
def _destinations(fn_args: FnArgs) -> Iterator[tuple[str, str]]:
    """The folders for the model and for everything else; temporary ones for all other workers.

    All workers export: reading a variable that is kept in sync may involve each of them.
    """
    if worker_index() == 0:
        yield fn_args.serving_model_dir, fn_args.model_run_dir
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield os.path.join(folder, "model"), os.path.join(folder, "run")


def _preprocessing(transform: str, custom: dict[str, Any]) -> dict[str, Any]:
    """Return how images become pixels: arguments that `ServedModel` and others share."""
    layer = tft.TFTransformOutput(transform).transform_features_layer()

    def preprocess(images: tf.Tensor) -> tf.Tensor:
        return layer({features.IMAGE: images[:, None]})[features.PIXELS][:, 0]

    return {
        "preprocess": preprocess,
        "image_size": Tiles.model_validate_json(custom["tiles"]).size(int(custom["image_size"])),
        "max_pixels": int(custom["max_pixels"]),
    }


def _export(
    trained: Trained,
    enrolled: list[EnrolledImage],
    preprocessing: dict[str, Any],
    model_folder: str,
    run_folder: str,
) -> dict[str, dict[str, int]]:
    """Export the served model, and the encoder as it was before training; as `carry_over`."""
    support = trained.support
    served = ServedModel(
        trained.model,
        support=SupportSet(
            trained.support_embeddings,
            support.labels,
            support.sources,
            trained.thresholds.scored_by,
        ),
        thresholds=trained.thresholds,
        training_keys=trained.training_keys,
        **preprocessing,
    )
    carried_over = carry_over(served, enrolled)
    served.save(model_folder)
    if trained.out_of_fold is not None:
        write_out_of_fold(trained.out_of_fold, model_folder)
    write_warmup(model_folder, preprocessing["image_size"])
    # Not those of classes that the training data has: they would return when it loses the class.
    if kept := [one for one in enrolled if one.label in carried_over["carried over"]]:
        write_enrolled_images(model_folder, kept)

    _save_encoder(trained.model.encoder, run_folder)
    backbone = trained.model.encoder.get_layer("backbone")
    backbone.load_weights(trained.snapshot.weights)
    PretrainedEncoder(
        backbone, features=trained.snapshot.features, support=support, **preprocessing
    ).save(os.path.join(run_folder, FOLDER))
    return carried_over


def _save_encoder(encoder: keras.Model, folder: str) -> None:
    """Write `encoder.keras`, which can be the `model.backbone` of another run."""
    with tempfile.TemporaryDirectory() as here:
        file = os.path.join(here, ENCODER)
        encoder.save(file)
        tf.io.gfile.makedirs(folder)
        tf.io.gfile.copy(file, os.path.join(folder, ENCODER), overwrite=True)


def _copy_logs(folder: Path, destination: str) -> None:
    """Copy `training.csv` and TensorBoard's files."""
    for path in (folder / "training.csv", *sorted((folder / "tensorboard").rglob("*"))):
        if path.is_file():
            target = os.path.join(destination, str(path.relative_to(folder)))
            tf.io.gfile.makedirs(os.path.dirname(target))
            tf.io.gfile.copy(str(path), target, overwrite=True)
