"""Peak memory of a training by number of images.

    python -m benchmarks.memory --json memory.json

Each training is a new process: one epoch of Conv-4 on 32-pixel images of 10 classes.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

from benchmarks.new_process import in_new_process
from benchmarks.report import report

CLASSES, SIZE = 10, 32

MODULE = "benchmarks.memory"  # also if run as __main__


def write(folder: Path, count: int) -> None:
    """Write the pair blocks of `count` training images."""
    import numpy as np

    from benchmarks.splits import as_bytes, write_split
    from records.pair_sampling import class_balanced, held_out_pairs

    rng = np.random.default_rng(0)
    for name, images in (("train", count), ("validation", 100)):
        pixels = rng.integers(0, 256, (images, SIZE, SIZE, 3)).astype("uint8")
        labels = [str(i % CLASSES) for i in range(images)]
        blocks = (
            class_balanced(as_bytes(labels), CLASSES, 5, 1, 0)
            if name == "train"
            else held_out_pairs(as_bytes(labels), 8, 100, 0)
        )
        write_split(folder / f"{name}.tfrecord", pixels, labels, blocks)


def peak_of_training(folder: Path) -> float:
    """Train on the output of `write`; return this process's peak memory in MiB."""
    from trainer.settings import Model, Training
    from trainer.training.fit import train

    train(
        Model(backbone="Conv4", weights="none"),
        Training(epochs=1),
        SIZE,
        [str(folder / "train.tfrecord")],
        [str(folder / "validation.tfrecord")],
        folder / "training",
    )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[200, 2_000, 20_000])
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    peaks = []
    for count in arguments.images:
        with tempfile.TemporaryDirectory() as place:
            # Writing needs a new process too: a child's peak starts at its parent's size.
            in_new_process(MODULE, f"write(Path({place!r}), {count})")
            peaks.append(float(in_new_process(MODULE, f"print(peak_of_training(Path({place!r})))")))
    report(
        "Memory: peak of a training",
        [
            {"images": count, "ratio": peak / peaks[0], "peak, MiB": peak}
            for count, peak in zip(arguments.images, peaks, strict=True)
        ],
        arguments.json,
    )


if __name__ == "__main__":
    main()
