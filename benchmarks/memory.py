"""Peak memory of a training against the number of its images.

    python -m benchmarks.memory --json memory.json

Each training is a process of its own: one epoch of Conv-4 on 32-pixel images of 10 classes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import report

CLASSES, SIZE = 10, 32


def one_training(count: int) -> float:
    """Train on so many images; returns this process's peak in MiB."""
    import numpy as np

    from benchmarks.splits import as_bytes, write_split
    from components.pair_gen.sampling import class_balanced, held_out_pairs
    from trainer.fit import train
    from trainer.settings import Model, Training

    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        # The files are written in another process, since this one's memory is measured.
        if not (child := sys.argv[2:3]):
            raise SystemExit("usage: memory COUNT FOLDER")
        folder = Path(child[0])
        if not (folder / "train.gz").is_file():
            rng = np.random.default_rng(0)
            for name, images in (("train", count), ("validation", 100)):
                pixels = rng.integers(0, 256, (images, SIZE, SIZE, 3)).astype("uint8")
                labels = [str(i % CLASSES) for i in range(images)]
                blocks = (
                    class_balanced(as_bytes(labels), CLASSES, 5, 1, 0)
                    if name == "train"
                    else held_out_pairs(as_bytes(labels), 8, 100, 0)
                )
                write_split(folder / f"{name}.gz", pixels, labels, blocks)
            return 0.0
        train(
            Model(backbone="Conv4", weights="none"),
            Training(epochs=1),
            SIZE,
            [str(folder / "train.gz")],
            [str(folder / "validation.gz")],
            root / "training",
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[200, 2_000, 20_000])
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    peaks = []
    for count in arguments.images:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.memory", str(count), folder]
            subprocess.run(command, check=True, capture_output=True)
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            peaks.append(json.loads(told.splitlines()[-1])["peak"])
    report(
        "Memory: peak of a training",
        [
            {"images": count, "ratio": peak / peaks[0], "peak, MiB": peak}
            for count, peak in zip(arguments.images, peaks, strict=True)
        ],
        arguments.json,
    )


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1].isdigit():
        print(json.dumps({"peak": one_training(int(sys.argv[1]))}))
    else:
        main()
