"""20-way 1-shot accuracy on characters of an alphabet that was held out from training.

    python -m benchmarks.omniglot FOLDER --json omniglot.json

FOLDER holds a folder of drawings for each character, named `Alphabet.characterNN`, of Omniglot
(Lake et al. 2015, https://doi.org/10.1126/science.aab3050). Each alphabet in turn is
held out and then tested: 20 of its characters, one drawing of each as support, one as query (every
alphabet has at least 20 characters). The settings were chosen with Greek and Early Aramaic as
validation alphabets, by trainings on Korean and Latin.

Published with five background alphabets, tested on twenty others (Lake et al. 2019): ConvNet
76.8 %, Prototypical Networks 69.9 %.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.report import report
from benchmarks.splits import as_bytes, write_split

SIZE = 32
WAYS = 20
COPIES = 24


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return bright strokes on black, uint8 [n, 32, 32, 3], and characters, str [n].

    The centre of mass of each drawing is in the middle.
    """
    from PIL import Image, ImageOps
    from scipy.ndimage import center_of_mass

    pixels, labels = [], []
    for path in sorted(folder.glob("*/*")):
        drawing = ImageOps.invert(Image.open(path).convert("L"))
        y, x = np.subtract(
            center_of_mass(np.asarray(drawing)), (np.array(drawing.size[::-1]) - 1) / 2
        )
        centred = drawing.transform(
            drawing.size, Image.Transform.AFFINE, (1, 0, x, 0, 1, y), Image.Resampling.BILINEAR
        )
        pixels.append(np.asarray(centred.resize((SIZE, SIZE), Image.Resampling.BILINEAR)))
        labels.append(path.parent.name)
    return np.repeat(np.stack(pixels)[..., None], 3, axis=-1), np.array(labels)


def orientations(pixels: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each character as 8 classes, rotated and mirrored (Santoro et al. 2016)."""
    views = [
        (np.rot90(view, turn, axes=(1, 2)), np.char.add(labels, f"/{turn}{mirrored}"))
        for mirrored, view in enumerate((pixels, pixels[:, :, ::-1]))
        for turn in range(4)
    ]
    return (
        np.ascontiguousarray(np.concatenate([view for view, _ in views])),
        np.concatenate([names for _, names in views]),
    )


def one_shot(embeddings: np.ndarray, labels: np.ndarray, episodes: int, seed: int) -> np.ndarray:
    """Return the accuracy of each episode: 20 ways, 1 shot, 1 query per way, nearest by cosine."""
    rng = np.random.default_rng(seed)
    members = {label: np.flatnonzero(labels == label) for label in np.unique(labels)}
    found = []
    for _ in range(episodes):
        ways = rng.choice(list(members), WAYS, replace=False)
        support, query = np.array([rng.choice(members[way], 2, replace=False) for way in ways]).T
        nearest = np.argmax(embeddings[query] @ embeddings[support].T, axis=1)
        found.append(np.mean(nearest == np.arange(WAYS)))
    return np.array(found)


def train_on(pixels: np.ndarray, labels: np.ndarray, epochs: int, seed: int):
    """Train on these characters; return the network and the CPU seconds."""
    from records.pair_sampling import class_balanced, held_out_pairs
    from trainer.settings import Augmentation, Model, Training
    from trainer.training.fit import train

    started = time.process_time()
    pixels, labels = orientations(pixels, labels)
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        root = Path(place)
        files = write_split(
            root / "train.tfrecord", pixels, labels.tolist(),
            class_balanced(as_bytes(labels.tolist()), WAYS, 5, 1, seed),
        )  # fmt: skip
        # Only for the metrics: the last epoch's weights are kept.
        watched = np.random.default_rng(seed).permutation(len(labels))[:400]
        watch = write_split(
            root / "watch.tfrecord", pixels[watched], labels[watched].tolist(),
            held_out_pairs(as_bytes(labels[watched].tolist()), 4, 400, seed),
        )  # fmt: skip
        trained = train(
            Model(backbone="Conv4", weights="none", pooling="flatten", embedding_size=None),
            Training(
                epochs=epochs,
                learning_rate=0.1,
                warmup=0.03,
                keep="last",
                augmentation=Augmentation(rotation=15, scale=0.2, shift=0.1),
            ),
            SIZE,
            files,
            watch,
            root / "training",
            seed,
        )
    return trained.model, time.process_time() - started


def averaged(model, embed: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """Return embeddings averaged over each drawing and augmented copies of it."""
    total = embed(pixels)
    for _ in range(COPIES):
        augmented = [
            np.asarray(model.augmentation(pixels[i : i + 500].astype("float32"), training=True))
            for i in range(0, len(pixels), 500)
        ]
        total += embed(np.concatenate(augmented))
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=20, help="of each training")
    parser.add_argument("--episodes", type=int, default=400, help="of each alphabet")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    from trainer.recipe.heads import prepare
    from trainer.training.embedder import embedder

    pixels, labels = read(arguments.folder)
    alphabets = np.array([label.split(".")[0] for label in labels])
    rows, episodes = [], []
    for number, alphabet in enumerate(np.unique(alphabets)):
        unseen = alphabets == alphabet
        model, seconds = train_on(pixels[~unseen], labels[~unseen], arguments.epochs, seed=number)
        features = embedder(model, batch=250)

        def embed(images: np.ndarray, features=features) -> np.ndarray:
            # Square roots: the features end in a ReLU and are skewed.
            return prepare(features(images))

        raw = pixels[unseen].reshape(unseen.sum(), -1).astype("float64")
        sides = {
            "ours": averaged(model, embed, pixels[unseen]),
            "ours, without augmented copies": embed(pixels[unseen]),
            "raw pixels": raw / np.linalg.norm(raw, axis=1, keepdims=True),
        }
        found = {
            name: one_shot(vectors, labels[unseen], arguments.episodes, seed=0)
            for name, vectors in sides.items()
        }
        episodes.append(found["ours"])
        rows.append(
            {
                "held-out alphabet": alphabet,
                **{name: float(values.mean()) for name, values in found.items()},
                "CPU s": seconds,
            }
        )
        print(rows[-1], flush=True)
    means = {name: float(np.mean([row[name] for row in rows])) for name in list(rows[0])[1:]}
    spread = 1.96 * np.concatenate(episodes).std() / np.sqrt(len(rows) * arguments.episodes)
    between = 1.96 * np.std([row["ours"] for row in rows], ddof=1) / np.sqrt(len(rows))
    report(
        f"Omniglot: {WAYS}-way 1-shot accuracy on the held-out alphabet",
        [*rows, {"held-out alphabet": "mean", **means}],
        arguments.json,
        [
            f"95 % interval: ±{spread:.4f} over episodes, ±{between:.4f} over alphabets.",
            "Published (other alphabets): ConvNet 0.768, Prototypical Networks 0.699.",
        ],
    )


if __name__ == "__main__":
    main()
