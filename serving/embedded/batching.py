"""Runs concurrent requests as one batch. Knows arrays only, neither models nor gRPC."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field

import numpy as np

from serving.embedded.config_files import BatchingParameters
from serving.embedded.deadline import Deadline
from serving.embedded.statuses import deadline_exceeded, invalid_argument, unavailable

log = logging.getLogger(__name__)

Arrays = Mapping[str, np.ndarray]
Compute = Callable[[Arrays], dict[str, np.ndarray]]


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
    opened: float
    tasks: list[_Task] = field(default_factory=list)
    size: int = 0
    closed: bool = False


class Batcher:
    """The threads that run the batches of all models.

    Args:
        parameters: How to batch.
        observe: Called with each batch's rows before padding, and its oldest wait in seconds.
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

    def submit(self, queue: BatchQueue, tasks: Sequence[_Task], kind: tuple) -> None:
        """Queue all tasks or none.

        Args:
            queue: Whose tasks they are.
            tasks: Each at most a batch's size.
            kind: Tasks of another kind can't be in the same batch.

        Raises:
            Status: UNAVAILABLE: the queue is full.
        """
        limit = self.parameters.execution_limit
        with self._changed:
            waiting = [batch for batch in self._batches if batch.queue is queue]
            open_batch = next((b for b in waiting if b.kind == kind and not b.closed), None)
            # Before anything is queued, since half a request is of no use.
            needed, room = 0, limit - open_batch.size if open_batch else 0
            for task in tasks:
                if task.size > room:
                    needed, room = needed + 1, limit
                room -= task.size
            most = self.parameters.max_enqueued_batches
            if len(waiting) + needed > most:
                raise unavailable(
                    "The batch scheduling queue to which this task was submitted is full; "
                    f"currently {len(waiting)} batches enqueued and max_enqueued_batches is {most}"
                )
            for task in tasks:
                if open_batch is None or open_batch.size + task.size > limit:
                    if open_batch is not None:
                        open_batch.closed = True
                    open_batch = _Batch(queue, kind, opened=time.monotonic())
                    self._batches.append(open_batch)
                open_batch.tasks.append(task)
                open_batch.size += task.size
                open_batch.closed = open_batch.size == limit
            self._changed.notify()

    def _work(self) -> None:
        while batch := self._next():
            try:
                waited = time.monotonic() - batch.opened
                batch.queue.execute(batch.tasks)
                self._observe(batch.size, waited)
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


class BatchQueue:
    """The requests of one function that is computed in batches.

    Args:
        batcher: Runs it.
        compute: Arrays [n, ...] by name to arrays [n, ...] by name.
    """

    def __init__(self, batcher: Batcher, compute: Compute) -> None:
        self._batcher = batcher
        self._compute = compute
        self._rows_kept = True

    def run(self, inputs: Arrays, deadline: Deadline) -> dict[str, np.ndarray]:
        """Compute one request together with others.

        Args:
            inputs: Arrays [n, ...] by name. If they disagree about n, they are computed alone.
            deadline: When the answer is no longer needed.

        Returns:
            Arrays [n, ...] by name.

        Raises:
            Status: INVALID_ARGUMENT: n is larger than a batch, and splitting is off.
                UNAVAILABLE: the queue is full. DEADLINE_EXCEEDED.
            Exception: Whatever `compute` raises for these inputs.
        """
        deadline.check()
        sizes = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
        if len(sizes) != 1 or 0 in sizes or not self._rows_kept:
            return self._compute(inputs)
        (size,) = sizes
        parameters = self._batcher.parameters
        if size > parameters.max_batch_size and not parameters.enable_large_batch_splitting:
            raise invalid_argument(
                f"Task size {size} is larger than maximum input batch size "
                f"{parameters.max_batch_size}"
            )
        kind = tuple(
            (name, array.dtype.str, array.shape[1:]) for name, array in sorted(inputs.items())
        )
        limit = parameters.execution_limit
        tasks = [
            _Task(_rows(inputs, start, start + limit), min(limit, size - start), deadline)
            for start in range(0, size, limit)
        ]
        self._batcher.submit(self, tasks, kind)
        try:
            answers = [task.answer.result(deadline.remaining) for task in tasks]
        except FutureTimeout:
            raise deadline_exceeded() from None
        return answers[0] if len(answers) == 1 else _concatenate(answers)

    def execute(self, tasks: Sequence[_Task]) -> None:
        """Compute the tasks that are not past their deadline, and set their answers."""
        live = []
        for task in tasks:
            if task.deadline.passed:
                task.answer.set_exception(deadline_exceeded())
            else:
                live.append(task)
        if not live:
            return
        try:
            answers = self._compute_together(live)
        except Exception as e:
            if len(live) == 1:
                live[0].answer.set_exception(e)
            else:
                self._compute_apart(live)
            return
        if answers is None:
            log.warning("A model's outputs don't keep the batch's rows: it is no longer batched")
            self._rows_kept = False
            self._compute_apart(live)
            return
        for task, answer in zip(live, answers, strict=True):
            task.answer.set_result(answer)

    def _compute_apart(self, tasks: Sequence[_Task]) -> None:
        # One client's bad request must not fail the others of its batch.
        for task in tasks:
            try:
                task.deadline.check()
                task.answer.set_result(self._compute(task.inputs))
            except Exception as e:
                task.answer.set_exception(e)

    def _compute_together(self, tasks: Sequence[_Task]) -> list[dict[str, np.ndarray]] | None:
        """Return the answers; None if the outputs' rows are not the inputs'."""
        size = sum(task.size for task in tasks)
        padding = self._padding(size)
        parts = [task.inputs for task in tasks]
        if padding:
            first = {name: array[:1] for name, array in parts[0].items()}
            parts = [*parts, {name: np.repeat(row, padding, axis=0) for name, row in first.items()}]
        outputs = self._compute(parts[0] if len(parts) == 1 else _concatenate(parts))
        if any(array.ndim == 0 or array.shape[0] != size + padding for array in outputs.values()):
            return None
        if len(tasks) == 1 and not padding:
            return [outputs]
        answers, start = [], 0
        for task in tasks:
            answers.append(_rows(outputs, start, start + task.size))
            start += task.size
        return answers

    def _padding(self, size: int) -> int:
        fitting = [s for s in self._batcher.parameters.allowed_batch_sizes if s >= size]
        return fitting[0] - size if fitting else 0


def _rows(arrays: Arrays, start: int, stop: int) -> dict[str, np.ndarray]:
    return {name: array[start:stop] for name, array in arrays.items()}


def _concatenate(parts: Sequence[Arrays]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
