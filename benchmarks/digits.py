"""Few-shot accuracy on handwritten digits: our recipe, the 2019 article's, and raw pixels.

    python -m benchmarks.digits --json digits.json

scikit-learn's digits at 32 px: 20 training and 8 validation images of each class, drawn by a seed;
accuracy is on all others, which no choice has seen. Ours is trained with Conv-4, which suits such
small images, and with ResNet-50; the 2019 recipe gets as much CPU time as that. All start from
scratch.
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

from benchmarks.report import report
from benchmarks.splits import as_bytes, write_split

OURS: dict[str, dict[str, Any]] = {
    "Conv-4": {"model": {"backbone": "Conv4", "weights": "none"}, "training": {"epochs": 10}},
    "ResNet-50": {"model": {"weights": "none"}, "training": {"epochs": 9}},
}
PASSES = 8
BUDGET = 110.0
"""CPU seconds that the article's recipe gets; ours take no more."""

ARTICLE: dict[str, Any] = {
    "model": {
        "weights": "none",
        "pooling": "flatten",
        "hidden": (1024,),
        "embedding_size": 18,
        "embedding_activation": "sigmoid",
        "normalize": False,
        "batch_norm_momentum": 0.99,
    },
    "training": {
        "loss": "binary_crossentropy",
        "encoding": "each_side",
        "learning_rate": 0.001,
        "schedule": "inverse_time",
        "weight_decay": 0,
        "clip_norm": None,
        "augmentation": None,
        "blocks_per_step": 16,
        "keep": "last",
    },
}


def digits(seed: int, train: int = 20, validation: int = 8) -> dict[str, tuple[np.ndarray, list]]:
    """Pixels uint8 [n, 32, 32, 3] and labels of the splits train, validation and test."""
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


def learn(
    recipe: dict[str, Any], files: dict[str, list[str]], size: int, folder: Path, seed: int
) -> tuple[Any, float]:
    """Train by a recipe; returns the network and the CPU seconds."""
    from trainer.settings import Model, Training
    from trainer.training.fit import train

    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        trained = train(
            Model(**recipe["model"]),
            Training(**{**recipe["training"], "seed": seed}),
            size,
            files["train"],
            files["validation"],
            folder,
        )
    return trained.model, time.process_time() - started


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    from judging.classifier import nearest_centroid, nearest_neighbour
    from records.pair_sampling import class_balanced, held_out_pairs, random_partners
    from trainer.training.fit import embedder

    rows = []
    for seed in range(arguments.seeds):
        splits = digits(seed)
        (pixels, labels), (query, truth) = splits["train"], splits["test"]
        support_labels, expected = np.array(labels), np.array(truth)
        accuracy: dict[str, float] = {}
        seconds: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            files = {
                "validation": write_split(
                    root / "validation.gz",
                    *splits["validation"],
                    held_out_pairs(as_bytes(splits["validation"][1]), 16, 500, seed),
                ),
                "train": write_split(
                    root / "train.gz",
                    *splits["train"],
                    class_balanced(as_bytes(labels), 10, 5, PASSES, seed),
                ),
            }
            article_files = {
                **files,
                "train": write_split(
                    root / "pairs.gz", *splits["train"], random_partners(as_bytes(labels), 8, seed)
                ),
            }

            def judge(model: Any) -> float:
                embed = embedder(model)
                found = nearest_centroid(embed(pixels), support_labels, embed(query))  # noqa: B023
                return float(np.mean(found == expected))  # noqa: B023

            for name, recipe in OURS.items():
                model, seconds[name] = learn(recipe, files, 32, root / name, seed)
                accuracy[name] = judge(model)
            # Two epochs against one tell what an epoch costs.
            article = {**ARTICLE, "training": {**ARTICLE["training"], "epochs": 1}}
            _, one = learn(article, article_files, 32, root / "one", seed)
            article["training"]["epochs"] = 2
            _, two = learn(article, article_files, 32, root / "two", seed)
            article["training"]["epochs"] = max(1, round(1 + (BUDGET - one) / (two - one)))
            model, seconds["article"] = learn(article, article_files, 32, root / "article", seed)
            accuracy["article"] = judge(model)
        flat = [images.reshape(len(images), -1) for images in (pixels, query)]
        raw = nearest_neighbour(flat[0], support_labels, flat[1])
        rows.append(
            {
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
        )
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
