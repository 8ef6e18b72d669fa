"""The Trainer's entry point: the only module here that knows of TFX."""

from __future__ import annotations

import json
import os

import tensorflow as tf
import tensorflow_transform as tft
from tfx import v1 as tfx

from components import features
from trainer.export import ServedModel
from trainer.fit import train
from trainer.settings import Model, Training


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Train on the pair blocks and export the served model.

    Args:
        fn_args: TFX's arguments. `custom_config` holds `image_size` and, as JSON texts, the
            `model` and `training` sections of the configuration.
    """
    custom = fn_args.custom_config
    image_size = int(custom["image_size"])
    model, summary = train(
        Model.model_validate_json(custom["model"]),
        Training.model_validate_json(custom["training"]),
        image_size,
        tf.io.gfile.glob(fn_args.train_files),
        tf.io.gfile.glob(fn_args.eval_files),
    )
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    layer = transform.transform_features_layer()

    def preprocess(images: tf.Tensor) -> tf.Tensor:
        return layer({features.IMAGE: images[:, None]})[features.PIXELS][:, 0]

    ServedModel(model, preprocess, image_size, tracked=layer).save(fn_args.serving_model_dir)
    tf.io.gfile.makedirs(fn_args.model_run_dir)
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, "training.json"), "w") as file:
        json.dump(summary, file, indent=2)
