"""Compares `classify` with the naive method, which pairs a query with each support image.

    python -m benchmarks.classify --json classify.json

The naive method encodes both images of every pair, as papers draw a Siamese network, and then finds
the class by the same rule (SimpleShot). Both call the same exported model in this process, in
alternation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.report import report
from components.transform.pixels import decode_and_resize
from judging.classifier import class_centroids
from judging.thresholds import CalibratedThresholds
from trainer.export.signatures import ServedModel
from trainer.export.support_set import SupportSet
from trainer.network.siamese import Siamese
from trainer.settings import Model, Training

CLASSES = 10


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="ResNet50")
    parser.add_argument("--size", type=int, default=96, help="height and width in pixels")
    parser.add_argument("--support", type=int, default=100, help="support images")
    parser.add_argument("--queries", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    support = _images(arguments.support, arguments.size, seed=0)
    labels = np.array([f"class {i % CLASSES}" for i in range(arguments.support)])
    with tempfile.TemporaryDirectory() as folder:
        model = _exported(folder, support, labels, arguments)
        figures = _compare(model, support, labels, _images(arguments.queries, arguments.size, 1))
    ratio = figures["naive"] / figures["classify"]
    rows: list[dict[str, Any]] = [
        {"method": "pair by pair", "ms per query": 1000 * figures["naive"], "times as fast": 1.0},
        {"method": "classify", "ms per query": 1000 * figures["classify"], "times as fast": ratio},
    ]
    report(
        f"One of {CLASSES} classes by {arguments.support} support images, {arguments.backbone}, "
        f"{arguments.size} px",
        rows,
        arguments.json,
        [
            f"{figures['same']:.0f} of {arguments.queries} labels are the same; scores differ by "
            f"{figures['difference']:.1e} at most. Aim: at least 50 times, all the same."
        ],
    )


def _compare(
    model: Any, support: list[bytes], labels: np.ndarray, queries: list[bytes]
) -> dict[str, float]:
    """Return seconds per query (medians), and how far the answers agree."""
    classify, embed = model.signatures["classify"], model.signatures["embed"]
    seconds: dict[str, list[float]] = {"naive": [], "classify": []}
    same, difference = 0, 0.0
    for number, query in enumerate([queries[0], *queries]):  # the first warms up
        print(f"\rquery {number} of {len(queries)}", end="", file=sys.stderr, flush=True)
        began = time.perf_counter()
        fast = classify(image=tf.constant([query]))
        between = time.perf_counter()
        pairs = [embed(image=tf.constant([query, image]))["embedding"].numpy() for image in support]
        scores = _scores(np.stack([pair[1] for pair in pairs]), labels, pairs[0][:1])
        ended = time.perf_counter()
        if number:
            seconds["classify"].append(between - began)
            seconds["naive"].append(ended - between)
            found = dict(zip(fast["classes"].numpy()[0], fast["scores"].numpy()[0], strict=True))
            same += fast["label"].numpy()[0].decode() == max(scores, key=scores.__getitem__)
            errors = [abs(found[name.encode()] - score) for name, score in scores.items()]
            difference = max(difference, *errors)
    print("\r", end="", file=sys.stderr)
    medians = {way: float(np.median(each)) for way, each in seconds.items()}
    return {**medians, "same": same, "difference": difference}


def _scores(support: np.ndarray, labels: np.ndarray, query: np.ndarray) -> dict[str, float]:
    known = class_centroids(support, labels)
    [distances] = known.distances(query)
    return dict(zip(known.classes.tolist(), (1 - distances / 2).tolist(), strict=True))


def _exported(
    folder: str, support: list[bytes], labels: np.ndarray, arguments: argparse.Namespace
) -> Any:
    size = arguments.size
    model = Siamese(Model(backbone=arguments.backbone, weights="none"), Training(), size)

    def preprocess(encoded: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda one: tf.io.serialize_tensor(decode_and_resize(one, size, "cubic")), encoded
        )

    pixels = [tf.io.decode_png(image).numpy() for image in support]
    embeddings = np.concatenate([np.asarray(model(one[None])) for one in pixels])
    sources = [f"{number}.png".encode() for number in range(len(support))]
    served = ServedModel(
        model,
        preprocess,
        size,
        100_000_000,
        SupportSet(embeddings, labels, sources),
        CalibratedThresholds(0.5, 0.5),
        np.empty(0, "int64"),
    )
    served.save(folder)
    return tf.saved_model.load(folder)


def _images(count: int, size: int, seed: int) -> list[bytes]:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype("uint8")
    return [tf.io.encode_png(one).numpy() for one in pixels]


if __name__ == "__main__":
    main()
