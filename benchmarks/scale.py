"""Ingestion and pairing of many small images: `python -m benchmarks.scale --json scale.json`.

Each measurement is a process of its own. Under `in_memory` it is one process, in which Beam keeps
all that a stage shuffles; its CPU time is that of our steps and Beam's. Under `multi_processing`
the steps run in two workers, each of which gets half of a stage's data at once, and the shuffle
stays with the process that was started, whose CPU time is then Beam's alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.new_process import in_new_process
from benchmarks.report import report

CLASSES, SIZE = 10, 24
MODES = ("in_memory", "multi_processing")

MODULE = "benchmarks.scale"  # also where it is run as the main one


def write_images(folder: Path, count: int) -> None:
    """Write smooth pictures of so many pixels, no two alike, as class folders of PNGs."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    for i in range(count):
        coarse = rng.integers(0, 256, (7, 7, 3)).astype("uint8")
        path = folder / str(i % CLASSES) / f"{i:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def write_transformed(folder: Path, count: int) -> None:
    """Write records as Transform does, in three splits."""
    import numpy as np
    import tensorflow as tf

    from components import features
    from components.example import make_example

    rng = np.random.default_rng(0)
    done = 0
    for split, share in zip(features.SPLITS, (0.6, 0.2, 0.2), strict=True):
        below = folder / f"Split-{split}"
        below.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(below / "data.gz"), options="GZIP") as writer:
            for i in range(done, done + int(count * share)):
                record = {
                    features.PIXELS: [rng.bytes(SIZE * SIZE * 3)],
                    features.LABEL: [b"%d" % (i % CLASSES)],
                    features.SOURCE: [b"%d/%06d.png" % (i % CLASSES, i)],
                    features.CONTENT_HASH: [b"%064x" % i],
                    features.IMAGE_ID: [b"%016x" % i],
                }
                writer.write(make_example(record, {}).SerializeToString())
        done += int(count * share)


def ingest(folder: Path, arguments: list[str]) -> None:
    """Run ImageExampleGen's executor on what `write_images` has written."""
    from tfx.types import standard_artifacts

    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.driver import Driver
    from components.image_example_gen.executor import Executor

    component = ImageExampleGen(root=str(folder))
    properties = Driver(None).resolve_exec_properties(dict(component.exec_properties), None, None)
    examples = standard_artifacts.Examples()
    with tempfile.TemporaryDirectory() as examples.uri:
        context = Executor.Context(beam_pipeline_args=arguments)
        Executor(context).Do({}, {"examples": [examples]}, properties)


def pair(folder: Path, arguments: list[str]) -> None:
    """Run PairGen's executor, as it is by default, on what `write_transformed` has written."""
    from tfx.types import artifact_utils, standard_artifacts

    from components import features
    from components.pair_gen.component import PairGen

    examples, pairs = standard_artifacts.Examples(), standard_artifacts.Examples()
    examples.uri = str(folder)
    examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
    executor = PairGen.EXECUTOR_SPEC.executor_class
    component = PairGen(examples=_channel(examples))
    with tempfile.TemporaryDirectory() as pairs.uri:
        executor(executor.Context(beam_pipeline_args=arguments)).Do(
            {"examples": [examples]}, {"pairs": [pairs]}, dict(component.exec_properties)
        )


STEPS = {"ingestion": (write_images, ingest), "pairing": (write_transformed, pair)}


def measure(step: str, mode: str, folder: Path) -> dict[str, float]:
    """Run a step; CPU seconds and peak of this process, and the peak of its largest worker."""
    import tfx.v1  # noqa: F401 - takes half a minute, whatever the number of images

    arguments = ["--runner=DirectRunner", f"--direct_running_mode={mode}"]
    if mode == MODES[1]:
        arguments.append("--direct_num_workers=2")
    started = time.process_time()
    with _watched_workers() as peaks:
        STEPS[step][1](folder, arguments)
    return {
        "CPU, s": time.process_time() - started,
        "process, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        # In one process, the only other ones pack a package, as TFX does for any runner.
        "worker, MiB": max(peaks.values(), default=0) / 1024 if mode == MODES[1] else 0.0,
    }


@contextmanager
def _watched_workers() -> Iterator[dict[int, int]]:
    """Of each process below the peak in KiB: `getrusage` would begin with its parent's size."""
    peaks: dict[int, int] = {}
    over = threading.Event()

    def watch(process: int | str) -> None:
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            for child in _text(children).split():
                for line in _text(Path(f"/proc/{child}/status")).splitlines():
                    if line.startswith("VmHWM:"):
                        peaks[int(child)] = int(line.split()[1])
                watch(child)  # Beam starts its workers by a shell

    def watch_on() -> None:
        while not over.wait(0.2):
            watch("self")

    thread = threading.Thread(target=watch_on)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has just ended


def _channel(artifact: Any) -> Any:
    from tfx.types import channel_utils

    return channel_utils.as_channel([artifact])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    rows: list[dict[str, Any]] = []
    for step, (write, _) in STEPS.items():
        first: dict[str, dict[str, float]] = {}
        for count in arguments.images:
            with tempfile.TemporaryDirectory() as place:
                in_new_process(MODULE, f"{write.__name__}(Path({place!r}), {count})")
                for mode in arguments.modes:
                    statement = f"print(json.dumps(measure({step!r}, {mode!r}, Path({place!r}))))"
                    found = json.loads(in_new_process(MODULE, statement))
                    found["CPU, ms an image"] = 1000 * found.pop("CPU, s") / count
                    of_first = first.setdefault(mode, found)
                    ratios = {
                        f"{name.partition(',')[0]}, ratio": found[name] / (of_first[name] or 1.0)
                        for name in ("CPU, ms an image", "process, MiB", "worker, MiB")
                    }
                    rows.append({"step": step, "mode": mode, "images": count, **ratios, **found})
                    print(rows[-1], flush=True)
    report("Scale: ingestion and pairing", rows, arguments.json)


if __name__ == "__main__":
    main()
