"""Runs the Trainer's `run_fn` on pair files, here or in a process of its own.

    python run_fn_here.py TRAIN VALIDATION BACKBONE FOLDER

FOLDER gets `model`, `run` and, while it trains, `unfinished`.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import tensorflow as tf

from components.transform.pixels import decode_and_resize
from records import features
from trainer import run_fn
from trainer.settings import Model, Tiles, Training

SIZE = 16


class Transform:
    """In place of `TFTransformOutput`, which needs a run of Transform."""

    def __init__(self, _):
        pass

    def transform_features_layer(self):
        return Layer()


class Layer(tf.Module):
    def __call__(self, inputs):
        images = inputs[features.IMAGE][:, 0]
        pixels = tf.map_fn(
            lambda one: tf.io.serialize_tensor(decode_and_resize(one, SIZE, "cubic")), images
        )
        return {features.PIXELS: pixels[:, None]}


def main(train, validation, backbone, folder, **custom):
    whole, run_fn.tft.TFTransformOutput = run_fn.tft.TFTransformOutput, Transform
    try:
        run_fn.run_fn(
            SimpleNamespace(
                # As TFX's Trainer passes them.
                train_files=[train],
                eval_files=[validation],
                hyperparameters=None,
                transform_graph_path="",
                serving_model_dir=str(Path(folder) / "model"),
                model_run_dir=str(Path(folder) / "run"),
                custom_config={
                    "image_size": SIZE,
                    "tiles": Tiles().model_dump_json(),
                    "max_pixels": 10_000,
                    "seed": 0,
                    "folds": 0,
                    "model": Model(backbone=backbone, embedding_size=6).model_dump_json(),
                    "training": Training(
                        epochs=2, learning_rate=0.1, recipe="fine_tuned"
                    ).model_dump_json(),
                    "unfinished": str(Path(folder) / "unfinished"),
                    **custom,
                },
            )
        )
    finally:
        run_fn.tft.TFTransformOutput = whole


if __name__ == "__main__":
    main(*sys.argv[1:])
