"""An epoch of a head on cached features against one in which the frozen encoder sees each image.

    python -m benchmarks.cached_features FOLDER ENCODER

FOLDER holds a folder of images for each class; ENCODER is a pretrained Keras model (`.keras`) for
224-pixel RGB images. Without a cache an epoch is a pass of the encoder over all images, forwards
alone, and the fit of the head; with it, the fit. The head is in closed form, so that one "epoch"
is all that it needs: cross-validation fits it again and again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.pictures import SIZE, read
from benchmarks.report import report

REPETITIONS = 5


def seconds(run: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    started = time.process_time()
    run()
    return time.process_time() - started


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    from trainer.network.backbone import build_backbone
    from trainer.recipe.cached_features import CachedFeatures
    from trainer.recipe.heads import Candidate, in_span, prepare
    from trainer.settings import ONE_TILE, Model

    pictures = read(arguments.folder)
    model = Model(backbone=str(arguments.encoder.resolve()))
    backbone = build_backbone(model, SIZE, ONE_TILE)
    CachedFeatures(backbone, model, pictures.pixels[:32]).of_views(1)  # starts the threads
    cache = CachedFeatures(backbone, model, pictures.pixels)
    encoding = seconds(lambda: cache.of_views(1))
    rows, head = in_span(prepare(cache.of_views(1))), Candidate("discriminant", 0.5)
    fit = float(
        np.median([seconds(lambda: head.fit(rows, pictures.labels)) for _ in range(REPETITIONS)])
    )
    row = {
        "images": len(pictures.labels),
        "not cached, CPU s": encoding + fit,
        "cached, CPU s": fit,
        "ratio": (encoding + fit) / fit,
    }
    report("An epoch on a frozen encoder", [row], arguments.json)


if __name__ == "__main__":
    main()
