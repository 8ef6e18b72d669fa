"""Time and memory of ingestion, pairing and judging: `python -m benchmarks.scale`.

Each measurement is a new process, in one of three modes of Beam:

* one process, in which Beam keeps everything that a stage shuffles;
* two workers of the DirectRunner, each of which gets half of a stage's input as one message;
* the same two workers with their input in pieces of 1 MiB, as runners send it that shuffle through
  disks. This patches Beam; the growth of a worker is then that of this project's code.

A hundred thousand small images take about half an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks import gate
from benchmarks.new_process import in_new_process
from benchmarks.report import report

CLASSES, SIZE = 10, 24

COPIES = 50
"""One image in this number is a copy, twice as large, of another one of its class and group."""

FOLDS = 5
PIECE = 1 << 20

GROUP = r"(\d{4})\d\d\.png"
"""A hundred images, ten of each class, belong together."""

_DIRECT = "--runner=DirectRunner"
_WORKERS = [_DIRECT, "--direct_running_mode=multi_processing", "--direct_num_workers=2"]

MODES = {
    "one process": [_DIRECT, "--direct_running_mode=in_memory"],
    "two workers": _WORKERS,
    "in pieces": _WORKERS,
}

MODULE = "benchmarks.scale"  # also if run as __main__


def write_images(folder: Path, count: int) -> None:
    """Write `count` smooth pictures as class folders of PNGs; one in `COPIES` is a copy."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    for i in range(count):
        path = folder / str(i % CLASSES) / f"{i:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i % COPIES == COPIES - 1:
            original = path.with_name(f"{i - CLASSES:06d}.png")
            pixels = cv2.resize(cv2.imread(str(original)), (2 * SIZE, 2 * SIZE))
        else:
            coarse = rng.integers(0, 256, (7, 7, 3)).astype("uint8")
            pixels = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def write_transformed(folder: Path, count: int) -> None:
    """Write `count` transformed records in three splits."""
    import numpy as np
    import tensorflow as tf

    from records import features
    from records.example import make_example

    rng = np.random.default_rng(0)
    done = 0
    for split, share in zip(features.SPLITS, (0.6, 0.2, 0.2), strict=True):
        below = folder / f"Split-{split}"
        below.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(below / "data.gz"), options="GZIP") as writer:
            for i in range(done, done + int(count * share)):
                pixels = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
                record = {
                    features.PIXELS: [tf.io.serialize_tensor(pixels).numpy()],
                    features.LABEL: [b"%d" % (i % CLASSES)],
                    features.SOURCE: [b"%d/%06d.png" % (i % CLASSES, i)],
                    features.CONTENT_HASH: [b"%064x" % i],
                    features.IMAGE_ID: [b"%016x" % i],
                    features.GROUP: [b"%016x" % i],
                }
                writer.write(
                    make_example(record, {features.FOLD: [features.NO_FOLD]}).SerializeToString()
                )
        done += int(count * share)


def write_judged(folder: Path, count: int) -> None:
    """Write `count` test images, and export a small network."""
    gate.write_images(folder / "images", count, SIZE)
    gate.export(folder / "model", "Conv4", SIZE)


def ingest(folder: Path, arguments: list[str], folds: int | None = None) -> None:
    """Run ImageExampleGen's executor, with groups and copies, on the output of `write_images`."""
    from tfx.types import standard_artifacts

    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.driver import Driver
    from components.image_example_gen.executor import Executor

    component = ImageExampleGen(root=str(folder), group=GROUP, folds=folds)
    properties = Driver(None).resolve_exec_properties(dict(component.exec_properties), None, None)
    examples = standard_artifacts.Examples()
    with tempfile.TemporaryDirectory() as examples.uri:
        context = Executor.Context(beam_pipeline_args=arguments)
        Executor(context).Do({}, {"examples": [examples]}, properties)


def ingest_in_folds(folder: Path, arguments: list[str]) -> None:
    """Run ImageExampleGen's executor as `ingest` does, with folds in place of splits."""
    ingest(folder, arguments, FOLDS)


def pair(folder: Path, arguments: list[str]) -> None:
    """Run PairGen's executor with its defaults on the output of `write_transformed`."""
    from tfx.types import artifact_utils, standard_artifacts

    from components.pair_gen.component import PairGen
    from records import features

    examples, pairs = standard_artifacts.Examples(), standard_artifacts.Examples()
    examples.uri = str(folder)
    examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
    executor = PairGen.EXECUTOR_SPEC.executor_class
    component = PairGen(examples=_channel(examples))
    with tempfile.TemporaryDirectory() as pairs.uri:
        executor(executor.Context(beam_pipeline_args=arguments)).Do(
            {"examples": [examples]}, {"pairs": [pairs]}, dict(component.exec_properties)
        )


STEPS = {
    "ingestion": (write_images, ingest),
    "ingestion in folds": (write_images, ingest_in_folds),
    "pairing": (write_transformed, pair),
    "judging": (write_judged, gate.run_judge),
}


def measure(step: str, mode: str, folder: Path) -> dict[str, float]:
    """Run a step; return CPU seconds of all processes, and the peak of this one and any worker."""
    import tfx.components  # noqa: F401 - takes half a minute, whatever the number of images

    from pipeline.runs.beam_workers import send_all_to_workers

    send_all_to_workers()
    pieces = _input_in_pieces() if mode == "in pieces" else nullcontext()
    started = time.process_time()
    with _watched_workers() as workers, pieces:
        STEPS[step][1](folder, list(MODES[mode]))
    if mode == "one process":
        workers.clear()  # these package TFX, which it does for any runner
    return {
        "CPU, s": time.process_time() - started + sum(one.seconds for one in workers.values()),
        "process, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "worker, MiB": max((one.peak for one in workers.values()), default=0.0),
    }


@contextmanager
def _input_in_pieces() -> Iterator[None]:
    """Send workers their input in pieces of `PIECE` bytes."""
    from apache_beam.coders.coder_impl import create_InputStream
    from apache_beam.runners.portability.fn_api_runner.fn_runner import BundleManager

    def send(self: Any, bundle: str, transform: str, data: Iterable[bytes] | None) -> None:
        out = self._worker_handler.data_conn.output_stream(bundle, transform)
        coder = self.bundle_context_manager.get_input_coder_impl(transform)
        for part in data or ():
            elements = create_InputStream(part)
            while elements.size():
                coder.encode_to_stream(coder.decode_from_stream(elements, True), out, True)
                if out.size() >= PIECE:
                    out.flush()
        out.close()

    with patch.object(BundleManager, "_send_input_to_worker", send):
        yield


class _Worker(NamedTuple):
    peak: float
    """Peak resident memory, MiB; that of `getrusage` starts at the parent's size."""
    seconds: float
    """CPU time."""


@contextmanager
def _watched_workers() -> Iterator[dict[int, _Worker]]:
    """Yield the descendants of this process by id, updated until the context ends."""
    found: dict[int, _Worker] = {}
    ended = threading.Event()
    ticks = os.sysconf("SC_CLK_TCK")

    def watch(process: int | str) -> None:
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            for child in _text(children).split():
                status = _text(Path(f"/proc/{child}/status")).partition("VmHWM:")[2].split()
                stat = _text(Path(f"/proc/{child}/stat")).rpartition(")")[2].split()
                if status and stat:
                    user, system = int(stat[11]), int(stat[12])
                    found[int(child)] = _Worker(int(status[0]) / 1024, (user + system) / ticks)
                watch(child)  # Beam starts its workers in a shell

    def watch_on() -> None:
        while not ended.wait(0.2):
            watch("self")

    thread = threading.Thread(target=watch_on)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # the process has just ended


def _channel(artifact: Any) -> Any:
    from tfx.types import channel_utils

    return channel_utils.as_channel([artifact])


def _compared(found: dict[str, float], count: int, smaller: dict[str, Any]) -> dict[str, Any]:
    """Add the cost of each additional image, compared with a smaller number of images."""
    added = count - smaller.get("images", count)

    def each(name: str, scale: float) -> float | None:
        return (found[name] - smaller[name]) * scale / added if added else None

    return {
        "CPU, ms per additional image": each("CPU, s", 1000),
        "process, kB per additional image": each("process, MiB", 1048.576),
        "worker, kB per additional image": each("worker, MiB", 1048.576),
        **found,
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    rows: list[dict[str, Any]] = []
    for step in arguments.steps:
        last: dict[str, dict[str, Any]] = {}
        for count in sorted(arguments.images):
            with tempfile.TemporaryDirectory() as place:
                write = STEPS[step][0].__name__
                in_new_process(MODULE, f"{write}(Path({place!r}), {count})")
                for mode in arguments.modes:
                    statement = f"print(json.dumps(measure({step!r}, {mode!r}, Path({place!r}))))"
                    found = json.loads(in_new_process(MODULE, statement))
                    compared = _compared(found, count, last.get(mode, {}))
                    rows.append({"step": step, "mode": mode, "images": count, **compared})
                    last[mode] = rows[-1]
                    print(rows[-1], flush=True)
    rows.sort(key=lambda row: (list(STEPS).index(row["step"]), list(MODES).index(row["mode"])))
    report("Scale: ingestion, pairing and judging", rows, arguments.json)


if __name__ == "__main__":
    main()
