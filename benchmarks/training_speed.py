"""Pairs per CPU second: the 2019 article's two-pass step against the block step.

    python -m benchmarks.training_speed --json training_speed.json

Both train the article's network (ResNet-50, Flatten, 1024, 18). The two-pass step encodes both
images of 16 pairs; the block step encodes 32 images once each and forms all their 496 pairs. Steps
of both alternate in one process, so that other load on the machine affects both equally.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.article import article
from benchmarks.report import report

BLOCK, PAIRS = 32, 16


def network(two_passes: bool, size: int, batch_norm: str = "trained") -> Any:
    """Return the article's network, compiled."""
    from trainer.network.siamese import Siamese
    from trainer.training.optimizer import build_optimizer

    model_settings, training = article(
        f"training.article.two_passes={two_passes}", f"model.batch_norm={batch_norm}"
    )
    model = Siamese(model_settings, training, size)
    model.compile(optimizer=build_optimizer(training, 1000, pretrained=True))
    return model


def images(count: int, size: int) -> np.ndarray:
    """Return random pixels, uint8 [count, size, size, 3]."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype("uint8")


def pairs_of(labels: np.ndarray, left: Any, right: Any) -> dict[str, np.ndarray]:
    """Return `y` as `trainer.training.input` does."""
    left, right = np.array(left), np.array(right)
    return {
        "class": labels,
        "left": left,
        "right": right,
        "target": (labels[left] == labels[right]).astype("int64"),
    }


def block(size: int, count: int = BLOCK) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return images of two classes with all their pairs."""
    left, right = zip(*combinations(range(count), 2), strict=True)
    return images(count, size), pairs_of(np.arange(count) % 2, left, right)


def two_passes(size: int, pairs: int = PAIRS) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return plain pairs, all left images first."""
    labels = np.arange(2 * pairs) % 3 % 2
    return images(2 * pairs, size), pairs_of(labels, np.arange(pairs), np.arange(pairs, 2 * pairs))


def largest_gradient_difference(size: int = 64) -> float:
    """Return the relative difference of both steps' gradients on the same pairs of 6 images.

    Batch normalization is frozen, since the batches of both steps have other statistics.
    """
    import tensorflow as tf

    x, y = block(size, 6)
    order = np.concatenate([y["left"], y["right"]])
    pairs = len(y["left"])
    sides = x[order], pairs_of(y["class"][order], np.arange(pairs), np.arange(pairs) + pairs)
    once, twice = (network(passes, size, "frozen") for passes in (False, True))
    twice.set_weights(once.get_weights())
    gradients = []
    for model, (pixels, targets) in ((once, (x, y)), (twice, sides)):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(pixels, targets, model(pixels, training=True))
        gradients.append(tape.gradient(loss, model.encoder.trainable_variables))
    return max(
        float(tf.reduce_max(tf.abs(a - b)) / (tf.reduce_max(tf.abs(a)) + 1e-12))
        for a, b in zip(*gradients, strict=True)
    )


def cpu_seconds(model: Any, data: tuple[Any, Any]) -> float:
    """Return the CPU seconds of one training step."""
    started = time.process_time()
    model.train_on_batch(*data)
    return time.process_time() - started


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 64])
    parser.add_argument("--steps", type=int, default=4, help="timed steps of each")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    difference = largest_gradient_difference()
    rows = []
    for size in arguments.sizes:
        sides = {
            "two passes": (network(True, size), two_passes(size), PAIRS),
            "block": (network(False, size), block(size), BLOCK * (BLOCK - 1) // 2),
        }
        times: dict[str, list[float]] = {name: [] for name in sides}
        for step in range(arguments.steps + 1):
            for name, (model, data, _) in sides.items():
                seconds = cpu_seconds(model, data)
                if step:  # the first one traces
                    times[name].append(seconds)
        rate = {name: sides[name][2] / float(np.median(times[name])) for name in sides}
        rows.append(
            {
                "size": size,
                "ratio": rate["block"] / rate["two passes"],
                "two passes, pairs/CPU s": rate["two passes"],
                "block, pairs/CPU s": rate["block"],
            }
        )
    report(
        f"Training speed: block of {BLOCK} images, all pairs, against {PAIRS} pairs in two passes",
        rows,
        arguments.json,
        [f"Largest relative difference of the gradients on the same pairs: {difference:.1e}"],
    )


if __name__ == "__main__":
    main()
