"""Entry point of TFX's Tuner: searches hyperparameters."""

from __future__ import annotations

import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from trainer.search.search import Task, build_tuner
from trainer.settings import Model, Search, Tiles, Training
from trainer.training.unfinished import unfinished_folder


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Return the search, ready to start.

    Args:
        fn_args: TFX's arguments. `custom_config` is that of `trainer.run_fn` plus `search`, the
            search's settings as JSON text.
    """
    custom = fn_args.custom_config
    task = Task(
        model=Model.model_validate_json(custom["model"]),
        training=Training.model_validate_json(custom["training"]),
        search=Search.model_validate_json(custom["search"]),
        image_size=int(custom["image_size"]),
        tiles=Tiles.model_validate_json(custom["tiles"]),
        seed=int(custom["seed"]),
        train_files=tuple(sorted(tf.io.gfile.glob(fn_args.train_files))),
        validation_files=tuple(sorted(tf.io.gfile.glob(fn_args.eval_files))),
        folder=str(
            unfinished_folder(custom["unfinished"], fn_args.train_files, fn_args.eval_files, custom)
        ),
    )
    return TunerFnResult(tuner=build_tuner(task), fit_kwargs={})
