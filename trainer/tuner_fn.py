"""The Tuner's entry point: knows of TFX, and of nothing else than the search."""

from __future__ import annotations

import tensorflow as tf
from tfx import v1 as tfx

from trainer.search.search import Task, build_tuner
from trainer.settings import Model, Search, Training
from trainer.training.unfinished import unfinished_folder


def tuner_fn(fn_args: tfx.components.FnArgs) -> tfx.components.TunerFnResult:
    """The search, ready to be started.

    Args:
        fn_args: TFX's arguments. `custom_config` is that of `trainer.run_fn`, with the search's
            settings as `search`.
    """
    custom = fn_args.custom_config
    task = Task(
        model=Model.model_validate_json(custom["model"]),
        training=Training.model_validate_json(custom["training"]),
        search=Search.model_validate_json(custom["search"]),
        image_size=int(custom["image_size"]),
        train_files=tuple(sorted(tf.io.gfile.glob(fn_args.train_files))),
        validation_files=tuple(sorted(tf.io.gfile.glob(fn_args.eval_files))),
        folder=str(
            unfinished_folder(custom["unfinished"], fn_args.train_files, fn_args.eval_files, custom)
        ),
    )
    return tfx.components.TunerFnResult(tuner=build_tuner(task), fit_kwargs={})
