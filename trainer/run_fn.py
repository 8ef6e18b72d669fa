"""The Trainer's entry point: the only module here that knows of TFX."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
import tensorflow_transform as tft
from tfx import v1 as tfx

from records import features
from trainer.export.pretrained_encoder import FOLDER, PretrainedEncoder
from trainer.export.signatures import ServedModel
from trainer.export.support_set import SupportSet
from trainer.export.warmup import write_warmup
from trainer.search.search_space import apply
from trainer.settings import Model, Training
from trainer.training.fit import Trained, train
from trainer.training.unfinished import unfinished_folder


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Train on the pair blocks and export the served model.

    Args:
        fn_args: TFX's arguments. `custom_config` holds `image_size`, `max_pixels` (of the largest
            image that the served model decodes), `unfinished` (the folder for what is needed to go
            on after a kill) and, as JSON texts, the `model` and `training` sections of the
            configuration; `hyperparameters`, if any, override these.
    """
    custom = fn_args.custom_config
    model_settings = Model.model_validate_json(custom["model"])
    training = Training.model_validate_json(custom["training"])
    image_size = int(custom["image_size"])
    hyperparameters = (fn_args.hyperparameters or {}).get("values", {})
    model_settings, training = apply(hyperparameters, model_settings, training)
    folder = unfinished_folder(
        custom["unfinished"], fn_args.train_files, fn_args.eval_files, hyperparameters, custom
    )
    trained = train(
        model_settings,
        training,
        image_size,
        tf.io.gfile.glob(fn_args.train_files),
        tf.io.gfile.glob(fn_args.eval_files),
        folder,
    )
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    layer = transform.transform_features_layer()

    def preprocess(images: tf.Tensor) -> tf.Tensor:
        return layer({features.IMAGE: images[:, None]})[features.PIXELS][:, 0]

    ServedModel(
        trained.model,
        preprocess,
        image_size,
        int(custom["max_pixels"]),
        SupportSet(trained.support_embeddings, trained.support.labels, trained.support.sources),
        trained.thresholds,
        trained.training_keys,
        tracked=layer,
    ).save(fn_args.serving_model_dir)
    write_warmup(fn_args.serving_model_dir, image_size)
    _export_pretrained_encoder(
        trained, preprocess, image_size, int(custom["max_pixels"]), layer, fn_args
    )
    _publish(folder, fn_args.model_run_dir)
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, "training.json"), "w") as file:
        json.dump({**trained.summary, "hyperparameters": hyperparameters}, file, indent=2)
    shutil.rmtree(folder)


def _export_pretrained_encoder(
    trained: Trained,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    image_size: int,
    max_pixels: int,
    layer: object,
    fn_args: tfx.components.FnArgs,
) -> None:
    """Give the trained backbone its first weights back, and export it."""
    backbone = trained.model.encoder.get_layer("backbone")
    backbone.load_weights(trained.snapshot.weights)
    PretrainedEncoder(
        backbone,
        preprocess,
        image_size,
        max_pixels,
        trained.snapshot.features,
        trained.support,
        tracked=layer,
    ).save(os.path.join(fn_args.model_run_dir, FOLDER))


def _publish(folder: Path, destination: str) -> None:
    """Copy what a training leaves for people."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and (name in _FOR_PEOPLE or name.startswith("tensorboard/")):
            target = os.path.join(destination, name)
            tf.io.gfile.makedirs(os.path.dirname(target))
            tf.io.gfile.copy(str(path), target, overwrite=True)


_FOR_PEOPLE = ("training.csv", "curves.png")
