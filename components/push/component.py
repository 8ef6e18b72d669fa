"""The TFX component."""

from tfx.components.pusher import component as stock
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.push.executor import Executor


class Pusher(stock.Pusher):
    """TFX's Pusher; the version that it pushes holds its lineage (`storage.lineage`).

    `model_blessing` is the Judge's.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
