import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from serving.embedded.batching import Batcher, BatchQueue
from serving.embedded.config_files import BatchingParameters
from serving.embedded.deadline import Deadline
from serving.embedded.statuses import Status, invalid_argument

NEVER = 3600 * 10**6  # a batch that must fill


class Double:
    """Doubles `x`, notes the batches, and can be held."""

    def __init__(self):
        self.batches, self.deadlines = [], []
        self.started = threading.Semaphore(0)
        self.go = threading.Event()
        self.go.set()

    def __call__(self, inputs, deadline=None, wanted=()):
        self.deadlines.append(deadline)
        self.batches.append(inputs["x"].tolist())
        self.started.release()
        assert self.go.wait(30)
        if (inputs["x"] < 0).any():
            raise invalid_argument("negative")
        return {"y": 2 * inputs["x"]}


@pytest.fixture
def start():
    """Makes a queue of a Double, by batching parameters."""
    batchers, observed = [], []

    def make(compute=None, **parameters):
        parameters = {"num_batch_threads": 1, "max_batch_size": 4, **parameters}
        batcher = Batcher(BatchingParameters(**parameters), lambda *told: observed.append(told))
        batchers.append(batcher)
        compute = compute or Double()
        queue = BatchQueue(batcher, compute)
        queue.observed = observed
        return queue, compute

    yield make
    for batcher in batchers:
        batcher.stop()


def ask(queue, *rows, seconds=30.0, wanted=()):
    return queue.run({"x": np.array(rows)}, Deadline(seconds), wanted)["y"].tolist()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


def hold(queue, compute, pool):
    """Keep the only thread busy, so that what follows is queued."""
    compute.go.clear()
    held = pool.submit(ask, queue, 100)
    assert compute.started.acquire(timeout=30)
    return held


def wait_until_queued(queue, batches, rows):
    end = time.monotonic() + 30
    while [batch.size for batch in queue._batcher._batches] != rows:
        assert time.monotonic() < end, batches
        time.sleep(0.001)


def test_a_request_alone_does_not_wait(start):
    queue, compute = start()
    assert ask(queue, 1, 2) == [2, 4]
    assert compute.batches == [[1, 2]]


def test_requests_that_come_together_are_one_batch_and_get_their_own_rows(start, pool):
    queue, compute = start(batch_timeout_micros=NEVER)
    answers = [pool.submit(ask, queue, n, 10 * n) for n in (1, 2)]
    assert [each.result(30) for each in answers] == [[2, 20], [4, 40]]
    assert sorted(compute.batches[0]) == [1, 2, 10, 20]
    assert len(compute.batches) == 1
    assert [size for size, _ in queue.observed] == [4]


def test_a_batch_that_does_not_fill_runs_after_the_timeout(start):
    queue, _ = start(batch_timeout_micros=20_000)
    assert ask(queue, 1) == [2]


def test_a_batch_is_closed_by_a_request_that_does_not_fit(start, pool):
    queue, compute = start(batch_timeout_micros=NEVER)
    first = pool.submit(ask, queue, 1, 2, 3)
    wait_until_queued(queue, 1, [3])
    second = pool.submit(ask, queue, 4, 5, 6, 7)
    assert first.result(30) == [2, 4, 6]
    assert second.result(30) == [8, 10, 12, 14]
    assert sorted(compute.batches) == [[1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.seen_in_source
def test_batches_are_padded_up_to_an_allowed_size(start):
    queue, compute = start(max_batch_size=8, allowed_batch_sizes=(2, 8))
    assert ask(queue, 1, 2, 3) == [2, 4, 6]
    assert ask(queue, 7) == [14]
    assert compute.batches == [[1, 2, 3, 1, 1, 1, 1, 1], [7, 7]]
    assert [size for size, _ in queue.observed] == [8, 2]  # TensorFlow Serving counts padding


@pytest.mark.seen_in_source
def test_a_full_queue_is_told_at_once(start, pool):
    queue, compute = start(max_enqueued_batches=2)
    held = hold(queue, compute, pool)
    waiting = [pool.submit(ask, queue, *[n] * 4) for n in (1, 2)]
    wait_until_queued(queue, 2, [4, 4])
    with pytest.raises(Status, match="currently 2 batches enqueued") as full:
        ask(queue, 3)
    assert full.value.code is grpc.StatusCode.UNAVAILABLE
    compute.go.set()
    assert held.result(30) == [200]
    assert [each.result(30)[0] for each in waiting] == [2, 4]


def test_one_model_can_not_fill_the_queue_of_another(start, pool):
    queue, compute = start(max_enqueued_batches=1)
    other = BatchQueue(queue._batcher, compute)
    held = hold(queue, compute, pool)
    first = pool.submit(ask, queue, 1, 1, 1, 1)
    wait_until_queued(queue, 1, [4])
    second = pool.submit(ask, other, 2)
    wait_until_queued(queue, 2, [4, 1])
    compute.go.set()
    assert (first.result(30)[0], second.result(30), held.result(30)) == (2, [4], [200])


@pytest.mark.seen_running
def test_too_large_a_request_is_refused(start):
    queue, compute = start()
    with pytest.raises(Status, match="Task size 5 is larger than maximum input batch size 4"):
        ask(queue, 1, 2, 3, 4, 5)
    assert not compute.batches


def test_a_request_over_the_limit_of_execution_runs_alone(start, pool):
    queue, compute = start(batch_timeout_micros=NEVER, max_batch_size=5, max_execution_batch_size=2)
    first = pool.submit(ask, queue, 1)
    wait_until_queued(queue, 1, [1])
    assert ask(queue, 2, 3, 4, 5, 6) == [4, 6, 8, 10, 12]
    assert first.result(30) == [2]
    assert compute.batches == [[1], [2, 3, 4, 5, 6]]
    answers = [pool.submit(ask, queue, 1) for _ in range(2)]
    assert [each.result(30) for each in answers] == [[2], [2]]
    assert compute.batches[2:] == [[1, 1]]


def test_what_nobody_waits_for_is_not_computed(start, pool):
    queue, compute = start()
    held = hold(queue, compute, pool)
    with pytest.raises(Status) as error:
        ask(queue, 1, seconds=0.01)
    assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    compute.go.set()
    assert held.result(30) == [200]
    assert ask(queue, 2) == [4]
    assert compute.batches == [[100], [2]]


def test_a_batch_is_computed_until_its_last_deadline(start, pool):
    queue, compute = start(batch_timeout_micros=NEVER, max_batch_size=2)
    answers = [pool.submit(ask, queue, 1, seconds=s) for s in (20, 30)]
    assert [each.result(30) for each in answers] == [[2], [2]]
    assert 20 < compute.deadlines[0].remaining <= 30


def test_a_deadline_that_has_passed(start):
    queue, compute = start()
    with pytest.raises(Status) as error:
        ask(queue, 1, seconds=0)
    assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not compute.batches


def test_a_bad_request_fails_its_batch(start, pool):
    """As in TensorFlow Serving: a model must not fail for one bad row."""
    queue, _ = start(batch_timeout_micros=NEVER, max_batch_size=3)
    answers = [pool.submit(ask, queue, n) for n in (1, 2, -1)]
    for each in answers:
        with pytest.raises(Status, match="negative"):
            each.result(30)


def test_other_outputs_are_other_batches(start, pool):
    queue, compute = start(batch_timeout_micros=20_000)
    answers = [pool.submit(ask, queue, 1, wanted=wanted) for wanted in (("y",), ("y", "z"))]
    assert [each.result(30) for each in answers] == [[2], [2]]
    assert len(compute.batches) == 2


def test_other_shapes_and_dtypes_are_other_batches(start, pool):
    queue, compute = start(batch_timeout_micros=20_000)
    arrays = [np.array([[1, 2]]), np.array([[1, 2, 3]]), np.array([[1.5, 2]])]
    answers = [pool.submit(queue.run, {"x": array}, Deadline(30)) for array in arrays]
    for array, answer in zip(arrays, answers, strict=True):
        np.testing.assert_array_equal(answer.result(30)["y"], 2 * array)
    assert len(compute.batches) == 3


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"a": np.array([1, 2]), "b": np.array([1, 2, 3])}, "must have equal 0th-dimension size"),
        ({"a": np.array(1)}, "must have at least one dimension"),
    ],
)
def test_inputs_without_rows_in_common(start, inputs, message):
    queue, compute = start()
    with pytest.raises(Status, match=message) as error:
        queue.run(inputs, Deadline())
    assert error.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert not compute.batches


@pytest.mark.parametrize(
    ("output", "message"),
    [(np.array([3]), "0th dimension does not equal"), (np.array(3), "has 0 dimensions")],
)
def test_outputs_without_the_rows(start, output, message):
    queue, _ = start(lambda inputs, deadline, wanted: {"sum": output})
    with pytest.raises(Status, match=message) as error:
        queue.run({"x": np.array([1, 2])}, Deadline(30))
    assert error.value.code is grpc.StatusCode.FAILED_PRECONDITION


def test_no_rows(start):
    queue, compute = start()
    assert ask(queue) == []
    assert compute.batches == [[]]


def test_bytes_of_any_length(start, pool):
    queue, _ = start(
        lambda inputs, deadline, wanted: {"y": inputs["x"]},
        batch_timeout_micros=NEVER,
        max_batch_size=2,
    )
    given = [np.array([b"a" * n], object) for n in (1, 1000)]
    answers = [pool.submit(queue.run, {"x": each}, Deadline(30)) for each in given]
    assert [each.result(30)["y"].tolist() for each in answers] == [each.tolist() for each in given]


def test_many_clients_get_what_they_asked_for(start, pool):
    queue, compute = start(
        num_batch_threads=3,
        max_batch_size=16,
        max_enqueued_batches=1000,
        allowed_batch_sizes=(4, 8, 16),
        max_execution_batch_size=8,
    )

    def client(seed):
        random = np.random.default_rng(seed)
        for _ in range(100):
            rows = random.integers(0, 1000, random.integers(1, 12)).tolist()
            assert ask(queue, *rows) == [2 * row for row in rows]

    for done in [pool.submit(client, seed) for seed in range(16)]:
        done.result(60)
    assert {len(batch) for batch in compute.batches} <= {4, 8, 16}


def test_stopping_finishes_what_is_queued(pool):
    batcher = Batcher(
        BatchingParameters(num_batch_threads=1, max_batch_size=4, batch_timeout_micros=NEVER)
    )
    queue = BatchQueue(batcher, Double())
    answer = pool.submit(ask, queue, 1)
    wait_until_queued(queue, 1, [1])
    batcher.stop()
    assert answer.result(30) == [2]
