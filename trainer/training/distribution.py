"""Several devices: of this machine (MirroredStrategy), or of several machines (TF_CONFIG)."""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow as tf

from trainer.network.siamese import Siamese


class ReplicatedSiamese(Siamese):
    """The network, trained by `fit` on every device of a strategy.

    Each device takes pair blocks of its own, and the gradient is the mean of the devices'. It is
    built in the strategy's scope.
    """

    train_function: Any

    def make_train_function(self, force: bool = False) -> Any:
        """One step on all devices.

        Keras' own averages the devices' metrics in a way that fails for several workers (Keras
        3.15 and before).
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
        """Nothing: it is built. Keras would average the pixels of all devices to build by."""


def choose_strategy() -> tf.distribute.Strategy | None:
    """The strategy for the machines that TF_CONFIG names, or for this machine's GPUs.

    Returns:
        None where there is one device alone.
    """
    memory_on_demand()
    if worker_count() > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return None


def memory_on_demand() -> None:
    """Let TensorFlow take GPU memory as it needs it, not all at once."""
    for device in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(device, True)
        except RuntimeError:  # in use already, with whatever was set before
            return


def worker_count() -> int:
    """Machines that train together; TF_CONFIG names them as `chief` and `worker`."""
    cluster = _tf_config().get("cluster", {})
    return max(1, len(cluster.get("chief", [])) + len(cluster.get("worker", [])))


def worker_index() -> int:
    """This machine's place among them; the one at 0 writes what there is to keep."""
    task = _tf_config().get("task", {})
    chiefs = len(_tf_config().get("cluster", {}).get("chief", []))
    return int(task.get("index", 0)) + (chiefs if task.get("type") == "worker" else 0)


def _tf_config() -> dict[str, Any]:
    return json.loads(os.environ.get("TF_CONFIG") or "{}")
