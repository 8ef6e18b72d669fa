"""What `siamese record` costs and loses: `python -m benchmarks.recorder`.

A server of TensorFlow Serving's protocol that answers after a fixed time runs in a process of its
own, and so does the recorder. Direct calls and calls through the recorder alternate one by one, so
that a slower machine slows both. Then the store is locked, its disk is full, and the recorder is
killed and started again, while clients call: which calls are lost?
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from serving.connection import Connection
from serving.serving_error import ServingError
from serving.wire import serving_pb2 as wire
from serving.wire.tensors import to_tensor
from traffic.store import TrafficStore

CLIENTS = (1, 4)
PREDICT = "/tensorflow.serving.PredictionService/Predict"


def main() -> None:
    """Measure, print the tables, and write the figures."""
    options = _options()
    if options.answer:
        _answer(options.answer_ms)
        return
    image = np.random.default_rng(0).bytes(options.kilobytes * 1000)
    with tempfile.TemporaryDirectory() as folder, _upstream(options) as upstream:
        figures: dict[str, Any] = {
            "added": [_added(upstream, Path(folder) / "t", n, image, options) for n in CLIENTS],
            "lost": {
                "store locked": _while_locked(upstream, Path(folder) / "l", image, options),
                "disk full": _while_full(upstream, Path(folder) / "f", image, options),
                "killed, started again": _while_killed(upstream, Path(folder), image, options),
            },
        }
    report(figures, options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def report(figures: dict[str, Any], options: argparse.Namespace) -> None:
    """Print the figures."""
    print(f"{options.kilobytes} KB an image; the server answers after {options.answer_ms:g} ms\n")
    print("clients  ratio  added ms (median)  direct ms  recorded ms  p95: direct, recorded")
    for row in figures["added"]:
        print(
            f"{row['clients']:7}  {row['ratio']:5.2f}  {row['added_ms']:17.2f}"
            f"  {row['direct_ms']:9.2f}  {row['recorded_ms']:11.2f}"
            f"  {row['direct_p95_ms']:11.2f}, {row['recorded_p95_ms']:.2f}"
        )
    print("\nwhile                    calls  lost  recorded  not recorded")
    for name, row in figures["lost"].items():
        print(
            f"{name:23}  {row['calls']:5}  {row['lost']:4}  {row['recorded']:8}"
            f"  {row['calls'] - row['lost'] - row['recorded']:12}"
        )


def _added(
    upstream: str, store: Path, clients: int, image: bytes, options: argparse.Namespace
) -> dict[str, float]:
    """Return the times of direct and recorded calls in pairs, each pair in a random order."""
    with _recorder(upstream, store) as recorder:

        def pairs(seed: int) -> list[tuple[float, float]]:
            order = np.random.default_rng(seed)
            with Connection(upstream, "m") as direct, Connection(recorder.address, "m") as through:
                ways: tuple[Connection, Connection] = (direct, through)
                for way in ways * 20:
                    _ask(way, image)
                times = []
                for _ in range(options.pairs // clients):
                    took = [0.0, 0.0]
                    for which in order.permutation(2):
                        started = time.perf_counter()
                        _ask(ways[which], image)
                        took[which] = 1000 * (time.perf_counter() - started)
                    times.append((took[0], took[1]))
                return times

        with futures.ThreadPoolExecutor(clients) as pool:
            measured = np.array([row for rows in pool.map(pairs, range(clients)) for row in rows])
    direct, recorded = measured.T
    return {
        "clients": clients,
        "ratio": float(np.median(recorded / direct)),
        "added_ms": float(np.median(recorded - direct)),
        "direct_ms": float(np.median(direct)),
        "recorded_ms": float(np.median(recorded)),
        "direct_p95_ms": float(np.percentile(direct, 95)),
        "recorded_p95_ms": float(np.percentile(recorded, 95)),
    }


def _while_locked(
    upstream: str, store: Path, image: bytes, options: argparse.Namespace
) -> dict[str, int]:
    TrafficStore(store, create=True).close()
    with _recorder(upstream, store) as recorder:
        with contextlib.closing(sqlite3.connect(store / "traffic.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            lost = _calls(recorder.address, image, options.calls)
            other.rollback()
        recorder.stop()
    return {"calls": options.calls, "lost": lost, "recorded": _recorded(store)}


def _while_full(
    upstream: str, store: Path, image: bytes, options: argparse.Namespace
) -> dict[str, int]:
    TrafficStore(store, create=True).close()
    # No file may grow beyond 40 KB: neither an image's nor SQLite's log.
    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (40_000, 40_000))
    with _recorder(upstream, store, full) as recorder:
        lost = _calls(recorder.address, image, options.calls)
        recorder.stop()
    return {"calls": options.calls, "lost": lost, "recorded": _recorded(store)}


def _while_killed(
    upstream: str, folder: Path, image: bytes, options: argparse.Namespace
) -> dict[str, int]:
    store = folder / "k"
    with _recorder(upstream, store) as first:
        ended: list[int] = []
        calling = threading.Thread(
            target=lambda: ended.append(_calls(first.address, image, options.calls, pause=0.01))
        )
        calling.start()
        time.sleep(1)
        first.process.kill()
        first.process.wait()
        with _recorder(upstream, store, port=first.address.rpartition(":")[2]) as second:
            calling.join()
            second.stop()
    return {"calls": options.calls, "lost": ended[0], "recorded": _recorded(store)}


def _calls(address: str, image: bytes, count: int, pause: float = 0.0) -> int:
    """Return how many calls of a client failed, after its own retries."""
    lost = 0
    with Connection(address, "m") as connection:
        for _ in range(count):
            try:
                _ask(connection, image)
            except ServingError:
                lost += 1
            time.sleep(pause)
    return lost


def _ask(connection: Connection, image: bytes) -> None:
    connection.predict("classify", {"image": [image]})


def _recorded(store: Path) -> int:
    with TrafficStore(store) as opened:
        return len(opened.answers())


class _Recorder:
    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = process, address

    def stop(self) -> None:
        """Have it record what waits."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)


@contextlib.contextmanager
def _recorder(
    upstream: str, store: Path, limit: Callable[[], None] | None = None, port: str = "0"
) -> Iterator[_Recorder]:
    command = (
        *(sys.executable, "-m", "pipeline.cli", "record", "--upstream", upstream),
        *("--store", str(store), "--port", port, "--metrics-port", "0", "--random", "0.01"),
    )
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=limit)
    assert process.stderr is not None
    try:
        yield _Recorder(process, f"localhost:{_port(process.stderr.readline())}")
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def _upstream(options: argparse.Namespace) -> Iterator[str]:
    command = (
        *(sys.executable, "-m", "benchmarks.recorder"),
        *("--answer", "--answer-ms", str(options.answer_ms)),
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"localhost:{_port(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def _port(line: str) -> str:
    found = re.search(r"gRPC on \S+:(\d+)", line)
    if found is None:
        raise SystemExit(f"did not start: {line}")
    return found[1]


def _answer(milliseconds: float) -> None:
    """Answer calls of `classify` after a time, until killed."""
    response = wire.PredictResponse(model_spec=wire.ModelSpec(name="m"))
    response.model_spec.version.value = 1
    outputs = {
        "classes": np.array([[b"bent", b"cut"]], object),
        "scores": np.array([[0.75, 0.25]], "f"),
        "label": np.array([b"bent"], object),
        "known": np.array([True]),
        "valid": np.array([True]),
    }
    for name, values in outputs.items():
        response.outputs[name].CopyFrom(to_tensor(values))
    answer = response.SerializeToString()

    def predict(request: bytes, context: grpc.ServicerContext) -> bytes:
        time.sleep(milliseconds / 1000)
        return answer

    server = grpc.server(futures.ThreadPoolExecutor(32))
    methods = {"Predict": grpc.unary_unary_rpc_method_handler(predict)}
    service = PREDICT.split("/")[1]
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, methods)])
    print(f"gRPC on localhost:{server.add_insecure_port('localhost:0')}", flush=True)
    server.start()
    server.wait_for_termination()


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=2000, help="pairs of calls that are timed")
    parser.add_argument("--calls", type=int, default=500, help="calls while something is wrong")
    parser.add_argument("--kilobytes", type=int, default=100, help="size of an image")
    parser.add_argument("--answer-ms", type=float, default=10.0, help="time of the server's answer")
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
