"""Training on several devices: of this machine, or of several machines (TF_CONFIG)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.network.siamese import Siamese


class ReplicatedSiamese(Siamese):
    """The network, trained by `fit` on every device of the strategy in whose scope it is built.

    Each device gets pair blocks of its own; the gradient is the mean over the devices.
    """

    train_function: Any

    def make_train_function(self, force: bool = False) -> Any:
        """Return a function that trains one step on all devices.

        Keras' own fails for several workers when it averages their metrics (up to Keras 3.15).
        """
        if self.train_function is not None and not force:
            return self.train_function
        strategy = self.distribute_strategy

        @tf.function
        def step(iterator: Any) -> Any:
            outputs = strategy.run(self.train_step, args=(next(iterator),))
            return {
                name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)
                for name, value in outputs.items()
            }

        self.train_function = step
        return self.train_function

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Do nothing: the network is built already."""


def choose_strategy() -> tf.distribute.Strategy | None:
    """Return the strategy for TF_CONFIG's machines or this machine's GPUs; None for one device."""
    memory_on_demand()
    if worker_count() > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return None


def memory_on_demand() -> None:
    """Let TensorFlow allocate GPU memory as needed, not all at once."""
    for device in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(device, True)
        except RuntimeError:  # already initialized
            return


def worker_count() -> int:
    """Return how many machines train together: `chief` and `worker` in TF_CONFIG."""
    cluster = _tf_config().get("cluster", {})
    return max(1, len(cluster.get("chief", [])) + len(cluster.get("worker", [])))


def worker_index() -> int:
    """Return this machine's index among them; the first one exports the model."""
    task = _tf_config().get("task", {})
    chiefs = len(_tf_config().get("cluster", {}).get("chief", []))
    return int(task.get("index", 0)) + (chiefs if task.get("type") == "worker" else 0)


def worker_folder(folder: Path) -> Path:
    """Return this machine's own folder below `folder`, which machines may share on one disk."""
    return folder / f"worker-{worker_index()}" if worker_count() > 1 else folder


def _tf_config() -> dict[str, Any]:
    return json.loads(os.environ.get("TF_CONFIG") or "{}")
