"""Few-shot accuracy on handwritten digits: our recipe, the 2019 article's, and raw pixels.

    python -m benchmarks.digits --json digits.json

scikit-learn's digits at 32 px: a seed draws 20 training and 8 validation images per class; all
others are test images. Our recipe is trained with Conv-4, which suits such small images, and with
ResNet-50; the 2019 recipe gets as much CPU time as the latter. All are trained from scratch.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.article import article
from benchmarks.report import report
from benchmarks.splits import as_bytes, write_split
from trainer.settings import Model, Training

OURS = {
    "Conv-4": (Model(weights="none"), Training(epochs=10)),
    "ResNet-50": (Model(backbone="ResNet50", weights="none"), Training(epochs=9)),
}
PASSES = 8
BUDGET = 110.0
"""CPU seconds for the article's recipe; ours take no more."""

Splits = dict[str, tuple[np.ndarray, list[str]]]


def digits(seed: int, train: int = 20, validation: int = 8) -> Splits:
    """Return pixels uint8 [n, 32, 32, 3] and labels of the splits train, validation and test."""
    import cv2
    from sklearn.datasets import load_digits

    found = load_digits()
    images = [
        cv2.resize(i / 16 * 255, (32, 32), interpolation=cv2.INTER_CUBIC) for i in found.images
    ]
    pixels = np.repeat(np.clip(np.round(images), 0, 255).astype("uint8")[..., None], 3, axis=-1)
    rng = np.random.default_rng(seed)
    chosen: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for digit in range(10):
        order = rng.permutation(np.flatnonzero(found.target == digit)).tolist()
        chosen["train"] += order[:train]
        chosen["validation"] += order[train : train + validation]
        chosen["test"] += order[train + validation :]
    return {
        split: (pixels[indices], [str(t) for t in found.target[indices]])
        for split, indices in chosen.items()
    }


def write_files(splits: Splits, root: Path, seed: int) -> dict[str, list[str]]:
    """Write validation pairs, our training blocks and the article's training pairs."""
    from records.pair_sampling import class_balanced, held_out_pairs, random_partners

    train, validation = (as_bytes(splits[name][1]) for name in ("train", "validation"))
    blocks = {
        "validation": held_out_pairs(validation, 16, 500, seed),
        "train": class_balanced(train, 10, 5, PASSES, seed),
        "article": random_partners(train, 8, seed),
    }
    images = {**splits, "article": splits["train"]}
    return {
        name: write_split(root / f"{name}.tfrecord", *images[name], blocks[name]) for name in blocks
    }


def learn(
    recipe: tuple[Model, Training],
    train_files: list[str],
    validation_files: list[str],
    folder: Path,
    seed: int,
) -> tuple[Any, float]:
    """Train by a recipe; return the network and the CPU seconds."""
    from trainer.training.fit import train

    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        trained = train(*recipe, 32, train_files, validation_files, folder, seed)
    return trained.model, time.process_time() - started


def compare(seed: int) -> dict[str, Any]:
    """Return one row of the table."""
    from judging.classifier import nearest_centroid, nearest_neighbour
    from trainer.training.embedder import embedder

    splits = digits(seed)
    (pixels, labels), (query, truth) = splits["train"], splits["test"]
    support_labels, expected = np.array(labels), np.array(truth)
    accuracy: dict[str, float] = {}
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        files = write_files(splits, root, seed)

        def learn_article(epochs: int) -> tuple[Any, float]:
            recipe = article(f"training.epochs={epochs}")
            folder = root / f"article-{epochs}"
            return learn(recipe, files["article"], files["validation"], folder, seed)

        def test(name: str, model: Any, cpu_seconds: float) -> None:
            embed = embedder(model)
            found = nearest_centroid(embed(pixels), support_labels, embed(query))
            accuracy[name], seconds[name] = float(np.mean(found == expected)), cpu_seconds

        for name, recipe in OURS.items():
            folder = root / name
            test(name, *learn(recipe, files["train"], files["validation"], folder, seed))
        # The difference of two epochs and one is the cost of an epoch.
        (_, one), (_, two) = learn_article(1), learn_article(2)
        test("article", *learn_article(max(1, round(1 + (BUDGET - one) / (two - one)))))
    flat = [images.reshape(len(images), -1) for images in (pixels, query)]
    raw = nearest_neighbour(flat[0], support_labels, flat[1])
    return {
        "seed": seed,
        "ours, Conv-4": accuracy["Conv-4"],
        "ours, ResNet-50": accuracy["ResNet-50"],
        "raw pixels, 1-NN": float(np.mean(raw == expected)),
        "the article's": accuracy["article"],
        "CPU s, Conv-4": seconds["Conv-4"],
        "CPU s, ResNet-50": seconds["ResNet-50"],
        "CPU s, the article's": seconds["article"],
        "test images": len(query),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    rows = []
    for seed in range(arguments.seeds):
        rows.append(compare(seed))
        print(rows[-1], flush=True)
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    report(
        "Digits: 10 classes x 20 training images, few-shot class accuracy",
        [*rows, {**mean, "seed": "mean"}],
        arguments.json,
        [
            "Conv-4 against raw pixels: "
            f"{mean['ours, Conv-4'] - mean['raw pixels, 1-NN']:+.4f} in the mean, "
            + ", ".join(f"{r['ours, Conv-4'] - r['raw pixels, 1-NN']:+.4f}" for r in rows)
        ],
    )


if __name__ == "__main__":
    main()
