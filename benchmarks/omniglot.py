"""20-way 1-shot on characters never seen, alphabet by alphabet.

    python -m benchmarks.omniglot FOLDER --json omniglot.json

FOLDER holds a folder of drawings for each character, named `Alphabet.characterNN`, of Omniglot
(Lake et al. 2015, https://doi.org/10.1126/science.aab3050). Each alphabet in turn is
left out of the training and then judged: 20 of its characters, one drawing each as support, one as
query (all alphabets have 20 characters at least). The settings were chosen with Greek as validation
alphabet; nothing is chosen by what is judged.

Published with five background alphabets, judged on twenty others (Lake et al. 2019): ConvNet
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
JITTERS = 8


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Strokes bright on dark, uint8 [n, 32, 32, 3], and characters, str [n]."""
    from PIL import Image

    pixels, labels = [], []
    for path in sorted(folder.glob("*/*")):
        drawing = Image.open(path).convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        pixels.append(255 - np.asarray(drawing))
        labels.append(path.parent.name)
    return np.repeat(np.stack(pixels)[..., None], 3, axis=-1), np.array(labels)


def orientations(pixels: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each character turned and mirrored into eight (Santoro et al. 2016, arXiv:1605.06065)."""
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
    """Accuracy of each episode: 20 ways, one shot, one query of each way, nearest by cosine."""
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
    """The network trained on these characters; returns it with the CPU seconds."""
    from records.pair_sampling import class_balanced, held_out_pairs
    from trainer.settings import Augmentation, Model, Training
    from trainer.training.fit import train

    started = time.process_time()
    pixels, labels = orientations(pixels, labels)
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        root = Path(place)
        files = write_split(
            root / "train.gz", pixels, labels.tolist(),
            class_balanced(as_bytes(labels.tolist()), WAYS, 5, 1, seed),
        )  # fmt: skip
        # Only to watch by: the last epoch's weights are kept.
        watched = np.random.default_rng(seed).permutation(len(labels))[:400]
        watch = write_split(
            root / "watch.gz", pixels[watched], labels[watched].tolist(),
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
                seed=seed,
            ),
            SIZE,
            files,
            watch,
            root / "training",
        )
    return trained.model, time.process_time() - started


def averaged(model, embed: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """Embeddings averaged over the drawing and some jitters of it, as training knows them."""
    total = embed(pixels)
    for _ in range(JITTERS):
        jittered = [
            np.asarray(model.augmentation(pixels[i : i + 500].astype("float32"), training=True))
            for i in range(0, len(pixels), 500)
        ]
        total += embed(np.concatenate(jittered))
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=20, help="of each training")
    parser.add_argument("--episodes", type=int, default=400, help="of each alphabet")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    from trainer.training.fit import embedder

    pixels, labels = read(arguments.folder)
    alphabets = np.array([label.split(".")[0] for label in labels])
    rows, episodes = [], []
    for number, alphabet in enumerate(np.unique(alphabets)):
        unseen = alphabets == alphabet
        model, seconds = train_on(pixels[~unseen], labels[~unseen], arguments.epochs, seed=number)
        embed = embedder(model, batch=250)
        raw = pixels[unseen].reshape(unseen.sum(), -1).astype("float64")
        sides = {
            "ours": averaged(model, embed, pixels[unseen]),
            "ours, one view": embed(pixels[unseen]),
            "raw pixels": raw / np.linalg.norm(raw, axis=1, keepdims=True),
        }
        found = {
            name: one_shot(vectors, labels[unseen], arguments.episodes, seed=0)
            for name, vectors in sides.items()
        }
        episodes.append(found["ours"])
        rows.append(
            {
                "alphabet left out": alphabet,
                **{name: float(values.mean()) for name, values in found.items()},
                "CPU s": seconds,
            }
        )
        print(rows[-1], flush=True)
    means = {name: float(np.mean([row[name] for row in rows])) for name in list(rows[0])[1:]}
    spread = 1.96 * np.concatenate(episodes).std() / np.sqrt(len(rows) * arguments.episodes)
    between = 1.96 * np.std([row["ours"] for row in rows], ddof=1) / np.sqrt(len(rows))
    report(
        f"Omniglot: {WAYS}-way 1-shot, characters of an alphabet never seen",
        [*rows, {"alphabet left out": "mean", **means}],
        arguments.json,
        [
            f"95 % interval: ±{spread:.4f} over episodes, ±{between:.4f} over alphabets.",
            "Published (other alphabets): ConvNet 0.768, Prototypical Networks 0.699.",
        ],
    )


if __name__ == "__main__":
    main()
