"""Runs concurrent requests as one batch, by the rules of TensorFlow Serving's batching session.

Knows arrays only, neither models nor gRPC. Source:
https://github.com/tensorflow/serving/blob/master/tensorflow_serving/batching/batching_session.cc
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field

import grpc
import numpy as np

from serving.embedded.config_files import BatchingParameters
from serving.embedded.deadline import Deadline, deadline_exceeded
from serving.embedded.statuses import (
    Status,
    failed_precondition,
    invalid_argument,
    resource_exhausted,
)

log = logging.getLogger(__name__)

Arrays = Mapping[str, np.ndarray]
Outputs = dict[str, np.ndarray]
Compute = Callable[[Arrays, Deadline, Sequence[str]], Outputs]


@dataclass
class _Task:
    inputs: Arrays
    size: int
    deadline: Deadline
    answer: Future = field(default_factory=Future)


@dataclass
class _Batch:
    queue: BatchQueue
    kind: tuple
    wanted: Sequence[str]
    opened: float
    tasks: list[_Task] = field(default_factory=list)
    size: int = 0
    closed: bool = False


class Batcher:
    """The threads that run the batches of all models.

    Args:
        parameters: How to batch.
        observe: Called with each batch's rows after padding, and its oldest wait in seconds.
    """

    def __init__(
        self,
        parameters: BatchingParameters,
        observe: Callable[[int, float], None] = lambda size, waited: None,
    ) -> None:
        self.parameters = parameters
        self._observe = observe
        self._changed = threading.Condition()
        self._batches: deque[_Batch] = deque()  # oldest first
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{i}", daemon=True)
            for i in range(parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Run the queued batches, then end the threads; nothing may be submitted afterwards."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def submit(self, queue: BatchQueue, task: _Task, wanted: Sequence[str]) -> None:
        """Add a request to the open batch of its kind, or to a new one.

        Args:
            queue: Whose request it is.
            task: Not larger than `max_batch_size`.
            wanted: The outputs to compute; requests for others are other batches.

        Raises:
            Status: UNAVAILABLE: there is no room for a new batch.
        """
        limit = self.parameters.max_execution_batch_size or self.parameters.max_batch_size
        most = self.parameters.max_enqueued_batches
        kind = (wanted, *((n, a.dtype.str, a.shape[1:]) for n, a in sorted(task.inputs.items())))
        with self._changed:
            pending = [batch for batch in self._batches if batch.queue is queue]
            batch = next((b for b in pending if b.kind == kind and not b.closed), None)
            if batch is None or batch.size + task.size > limit:
                if len(pending) >= most:
                    raise Status(
                        grpc.StatusCode.UNAVAILABLE,
                        "The batch scheduling queue to which this task was submitted is full; "
                        f"currently {len(pending)} batches enqueued and max_enqueued_batches is "
                        f"{most}",
                    )
                if batch is not None:
                    batch.closed = True
                batch = _Batch(queue, kind, wanted, opened=time.monotonic())
                self._batches.append(batch)
            batch.tasks.append(task)
            batch.size += task.size
            batch.closed = batch.size >= limit
            self._changed.notify()

    def _work(self) -> None:
        while batch := self._next():
            try:
                padded = self._padded(batch.size)
                self._observe(padded, time.monotonic() - batch.opened)
                batch.queue.execute(batch.tasks, padded, batch.wanted)
            except Exception:  # the thread must live on; the tasks have their answers
                log.exception("A batch failed")

    def _next(self) -> _Batch | None:
        patience = self.parameters.batch_timeout_micros / 1e6
        with self._changed:
            while True:
                now = time.monotonic()
                soonest = None
                for batch in self._batches:
                    left = batch.opened + patience - now
                    if batch.closed or left <= 0 or self._stopped:
                        self._batches.remove(batch)
                        if self._batches:  # another thread may have waited for this one
                            self._changed.notify()
                        return batch
                    soonest = left if soonest is None else min(soonest, left)
                if self._stopped:
                    return None
                self._changed.wait(soonest)

    def _padded(self, size: int) -> int:
        return next((s for s in self.parameters.allowed_batch_sizes if s >= size), size)


class BatchQueue:
    """The requests of one function that is computed in batches.

    Args:
        batcher: Runs it.
        compute: Arrays [n, ...] by name, the time until when, and names of outputs to arrays
            [n, ...] by name.
    """

    def __init__(self, batcher: Batcher, compute: Compute) -> None:
        self._batcher = batcher
        self._compute = compute

    def run(self, inputs: Arrays, deadline: Deadline, wanted: Sequence[str] = ()) -> Outputs:
        """Compute one request together with others.

        Args:
            inputs: Arrays [n, ...] by name.
            deadline: When the answer is no longer needed.
            wanted: Names of the outputs.

        Returns:
            Arrays [n, ...] by name.

        Raises:
            Status: INVALID_ARGUMENT: the inputs have no n in common, or it is larger than
                `max_batch_size`. UNAVAILABLE: the queue is full. DEADLINE_EXCEEDED.
                RESOURCE_EXHAUSTED: no request of the batch was run in time. FAILED_PRECONDITION:
                an output doesn't have n rows. Or whatever `compute` raises for the batch.
        """
        if deadline.remaining == 0:
            raise deadline_exceeded()
        if any(array.ndim == 0 for array in inputs.values()):
            raise invalid_argument("Batching Run() input tensors must have at least one dimension.")
        sizes = {array.shape[0] for array in inputs.values()}
        if len(sizes) != 1:
            raise invalid_argument(
                "Batching Run() input tensors must have equal 0th-dimension size."
            )
        (size,) = sizes
        limit = self._batcher.parameters.max_batch_size
        if size > limit:
            raise invalid_argument(
                f"Task size {size} is larger than maximum input batch size {limit}"
            )
        if size == 0:
            return self._compute(inputs, deadline, wanted)
        task = _Task(inputs, size, deadline)
        self._batcher.submit(self, task, wanted)
        try:
            return task.answer.result(deadline.remaining)
        except FutureTimeout:
            raise deadline_exceeded() from None

    def execute(self, tasks: Sequence[_Task], padded: int, wanted: Sequence[str]) -> None:
        """Compute tasks until the last one's deadline, and set their answers.

        Args:
            tasks: What the batch holds.
            padded: Rows to compute; the first row of the last task fills them up.
            wanted: Names of the outputs.
        """
        try:
            answers = self._answers(tasks, padded, wanted)
        except Exception as e:
            for task in tasks:
                task.answer.set_exception(e)
            return
        for task, answer in zip(tasks, answers, strict=True):
            task.answer.set_result(answer)

    def _answers(
        self, tasks: Sequence[_Task], padded: int, wanted: Sequence[str]
    ) -> Sequence[Outputs]:
        deadline = max(task.deadline for task in tasks)
        if deadline.remaining == 0:
            raise resource_exhausted("Run() timeout exceeded while waiting in batching queue")
        parts = [task.inputs for task in tasks]
        padding = padded - sum(task.size for task in tasks)
        if padding:
            parts.append({n: np.repeat(a[:1], padding, axis=0) for n, a in parts[-1].items()})
        outputs = self._compute(_concatenate(parts), deadline, wanted)
        if any(array.ndim == 0 for array in outputs.values()):
            raise failed_precondition("Batched output tensor has 0 dimensions")
        if any(array.shape[0] != padded for array in outputs.values()):
            raise failed_precondition(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension "
                "sizes of the input tensors"
            )
        ends = np.cumsum([task.size for task in tasks]).tolist()
        return [
            {name: array[end - task.size : end] for name, array in outputs.items()}
            for task, end in zip(tasks, ends, strict=True)
        ]


def _concatenate(parts: Sequence[Arrays]) -> Outputs:
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
