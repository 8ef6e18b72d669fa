"""Labels saved by the order of the review queue, against images reviewed at random.

    python -m benchmarks.active_learning ENCODER STEEL_FOLDER ... --json active_learning.json

ENCODER is a pretrained Keras model (`.keras`) for 224-pixel RGB images; the STEEL_FOLDERs hold a
folder of images for each class, and scikit-learn's digits are the second data set. A seed divides
each into images to judge on, a few labelled ones of each class, and a pool. A classifier of the
labelled ones says how unsure it is of each image of the pool, `review.priority` orders them, the
first 40 get their labels, and a new classifier is judged. The reference is the mean of random
orders: how many of their images reach the same accuracy. Features are computed once.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.pictures import SIZE, read
from benchmarks.report import report
from review.priority import by_priority

BUDGET = 40
STEP = 10
MOST = 160
"""Largest number of random images that is tried."""

ORDERS = 5
"""Random orders of each draw."""


class Features(NamedTuple):
    """Square roots of an encoder's features, float [n, d], of length one, and classes, str [n]."""

    z: np.ndarray
    labels: np.ndarray


class Draw(NamedTuple):
    """Indices of the images to judge on, those that are labelled, and the pool in random order."""

    test: np.ndarray
    labelled: np.ndarray
    pool: np.ndarray


Classifier = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Takes labelled features and classes, and others; returns the classes and float scores [n, c]."""


def nearest_centroid(
    z: np.ndarray, labels: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Classify by centred class means (SimpleShot), as a served model does."""
    mean = z.mean(0)
    known, asked = _normalized(z - mean), _normalized(others - mean)
    classes = np.unique(labels)
    centroids = np.stack([known[labels == one].mean(0) for one in classes])
    squares = (asked**2).sum(1)[:, None] - 2 * asked @ centroids.T + (centroids**2).sum(1)
    return classes, 1 - squares / 2


def logistic(
    z: np.ndarray, labels: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Classify by logistic regression, one of the heads that training tries."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=10, max_iter=200).fit(z, labels)
    return fitted.classes_, fitted.decision_function(others)


CLASSIFIERS: dict[str, Classifier] = {
    "nearest centroid": nearest_centroid, "logistic regression": logistic
}  # fmt: skip


def measure(features: Features, each: int, classifier: Classifier, seed: int) -> dict[str, Any]:
    """Return the accuracies of one draw: in the queue's order, and of random orders by number."""
    draw = drawn(features.labels, each, seed)

    def accuracy(chosen: Sequence[int] | np.ndarray) -> float:
        some = np.concatenate([draw.labelled, draw.pool[np.asarray(chosen, int)]])
        z, labels = features
        classes, scores = classifier(z[some], labels[some], z[draw.test])
        return float(np.mean(classes[scores.argmax(1)] == labels[draw.test]))

    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(draw.pool)) for _ in range(ORDERS)]
    counts = range(0, min(MOST, len(draw.pool)) + 1, STEP)
    return {
        "queue": accuracy(queue_order(features, draw, classifier)),
        "random": {n: float(np.mean([accuracy(one[:n]) for one in orders])) for n in counts},
    }


def queue_order(features: Features, draw: Draw, classifier: Classifier) -> list[int]:
    """Return the first images of the pool in the queue's order."""
    known, pool = features.z[draw.labelled], features.z[draw.pool]
    _, scores = classifier(known, features.labels[draw.labelled], pool)
    best = np.sort(scores, axis=1)
    margins = best[:, -1] - best[:, -2]
    unsure = np.asarray(1 - np.searchsorted(np.sort(margins), margins) / len(margins))
    mean = known.mean(0)
    return by_priority(pool - mean, unsure, known - mean, BUDGET)


def drawn(labels: np.ndarray, each: int, seed: int) -> Draw:
    """Return a draw: half of the images to judge on, at most 800; `each` labelled of a class."""
    order = np.random.default_rng(seed).permutation(len(labels))
    test, rest = np.split(order, [min(len(order) // 2, 800)])
    labelled = np.concatenate([rest[labels[rest] == one][:each] for one in np.unique(labels)])
    return Draw(test, labelled, rest[~np.isin(rest, labelled)])


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return pixels uint8 [n, 224, 224, 3] and classes of scikit-learn's digits."""
    import cv2
    from sklearn.datasets import load_digits

    def enlarged(image: np.ndarray, side: int) -> np.ndarray:
        larger = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        return np.clip(np.round(larger), 0, 255)

    found = load_digits()
    grey = np.stack([enlarged(enlarged(one / 16 * 255, 32), SIZE) for one in found.images])
    return np.repeat(grey.astype("uint8")[..., None], 3, axis=-1), found.target.astype(str)


def steel(folders: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return the same of the images in several folders of class folders."""
    parts = [read(folder) for folder in folders]
    return np.concatenate([one.pixels for one in parts]), np.concatenate([p.labels for p in parts])


def features_of(
    encoder: Path, pictures: Callable[[], tuple[np.ndarray, np.ndarray]], file: Path
) -> Features:
    """Return the features of images, which are computed if the file is missing."""
    if not file.exists():
        import keras

        model = keras.models.load_model(encoder, compile=False)
        pixels, labels = pictures()
        batches = [
            np.asarray(model(pixels[i : i + 32].astype("float32"), training=False))
            for i in range(0, len(pixels), 32)
        ]
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, features=np.concatenate(batches), labels=labels)
    with np.load(file) as found:
        return Features(_normalized(np.sqrt(np.maximum(found["features"], 0))), found["labels"])


def _normalized(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def row(name: str, features: Features, each: int, kind: str, seeds: Sequence[int]) -> dict:
    """Return the means of several draws, and how many random images reach the queue's accuracy."""
    found = [measure(features, each, CLASSIFIERS[kind], seed) for seed in seeds]
    queue = float(np.mean([one["queue"] for one in found]))
    counts = sorted(set.intersection(*(set(one["random"]) for one in found)))
    random = {n: float(np.mean([one["random"][n] for one in found])) for n in counts}
    return {
        "images": name,
        "labelled a class": each,
        "classifier": kind,
        "before": random[0],
        f"queue, {BUDGET}": queue,
        f"random, {BUDGET}": random[BUDGET],
        f"random, {2 * BUDGET}": random[2 * BUDGET],
        "random needed": next((n for n in counts if random[n] >= queue), f"> {counts[-1]}"),
        "draws": len(seeds),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", type=Path)
    parser.add_argument("steel", type=Path, nargs="+")
    parser.add_argument("--each", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--features",
        type=Path,
        default=Path(tempfile.gettempdir()) / "siamese-active-learning",
        help="Folder of the features, which are computed if it is empty.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    encoder, place = arguments.encoder, arguments.features
    sets = {
        "steel": features_of(encoder, lambda: steel(arguments.steel), place / "steel.npz"),
        "digits": features_of(encoder, digits, place / "digits.npz"),
    }
    rows = [
        row(name, features, each, kind, arguments.seeds)
        for name, features in sets.items()
        for each in arguments.each
        for kind in CLASSIFIERS
    ]
    report(
        "Accuracy after labels in the queue's order and at random",
        rows,
        arguments.json,
        [f"Random: mean of {ORDERS} orders of each draw, in steps of {STEP} images."],
    )


if __name__ == "__main__":
    main()
