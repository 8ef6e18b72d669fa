"""The default recipe on few images of a class, tested on others.

    python -m benchmarks.few_images LABELLED HELD_OUT ENCODER --each 5 20 --draws 10

LABELLED and HELD_OUT hold a folder of images for each class; ENCODER is a pretrained Keras model
(`.keras`) for 224-pixel RGB images. Of LABELLED, `--each` images of each class are drawn; the
recipe chooses by cross-validation of these alone. The reference is the nearest centroid
(SimpleShot) of the encoder's features as they are.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report import report
from benchmarks.splits import as_bytes, write_split

SIZE = 224


class Pictures(NamedTuple):
    """Pixels uint8 [n, 224, 224, 3], resized as in the pipeline, and classes, str [n]."""

    pixels: np.ndarray
    labels: np.ndarray


def read(folder: Path) -> Pictures:
    """Return the images of a folder of class folders."""
    import tensorflow as tf

    from components.transform.pixels import decode_and_resize

    paths = sorted(folder.glob("*/*"))
    pixels = [decode_and_resize(tf.io.read_file(str(p)), SIZE, "cubic").numpy() for p in paths]
    return Pictures(np.stack(pixels), np.array([path.parent.name for path in paths]))


def drawn(labels: np.ndarray, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of some images of each class, three quarters for training."""
    rng = np.random.default_rng(seed)
    train, validation = [], []
    for label in np.unique(labels):
        chosen = rng.permutation(np.flatnonzero(labels == label))[:each]
        part = max(2, each // 4)
        validation.append(chosen[:part])
        train.append(chosen[part:])
    return np.concatenate(train), np.concatenate(validation)


def measure(
    labelled: Pictures, held_out: Pictures, encoder: Path, each: int, seed: int
) -> dict[str, Any]:
    """Train on one draw and return its figures on the held-out images."""
    from sklearn.metrics import roc_auc_score

    from judging.classifier import nearest_centroid
    from records.pair_sampling import class_balanced, held_out_pairs
    from trainer.recipe.ladder import train_by_recipe
    from trainer.settings import Model, Training
    from trainer.training.embedder import in_batches
    from trainer.training.snapshot import pooled_features

    sides = drawn(labelled.labels, each, seed)
    (x, y), (vx, vy) = ((labelled.pixels[i], labelled.labels[i].tolist()) for i in sides)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        root, classes = Path(place), len(set(y))
        trained = train_by_recipe(
            Model(backbone=str(encoder.resolve())),
            Training(),
            SIZE,
            write_split(root / "train.gz", x, y, class_balanced(as_bytes(y), classes, 2, 2, seed)),
            write_split(root / "valid.gz", vx, vy, held_out_pairs(as_bytes(vy), 16, 500, seed)),
            root / "training",
            seed,
        )
    seconds = time.process_time() - started
    embed = in_batches(lambda pixels: trained.model.encoder(pixels, training=False))
    z, truth = embed(held_out.pixels.astype("float32")), held_out.labels
    guess = nearest_centroid(trained.support_embeddings, trained.support.labels, z)
    some = np.random.default_rng(0).integers(0, len(truth), (2, 20_000))
    some = some[:, some[0] != some[1]]
    similarities = np.asarray(trained.model.similarity(z[some[0]], z[some[1]]))
    same = truth[some[0]] == truth[some[1]]
    features = in_batches(pooled_features(trained.model.encoder.get_layer("backbone")))
    plain = nearest_centroid(
        features(trained.support.pixels), trained.support.labels, features(held_out.pixels)
    )
    return {
        "accuracy": float(np.mean(guess == truth)),
        "AUC of pairs": float(roc_auc_score(same, similarities)),
        "pairs right": float(np.mean((similarities >= trained.thresholds.same) == same)),
        "SimpleShot": float(np.mean(plain == truth)),
        "cross-validated": trained.summary["recipe"]["accuracy"],
        "views": next((n for n in (4, 2) if f"{n} views" in _chosen(trained)), 1),
        "CPU s": seconds,
    }


def _chosen(trained: Any) -> str:
    return trained.summary["recipe"].get("chosen", "")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--each", type=int, nargs="+", default=[20])
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    labelled, held_out = read(arguments.labelled), read(arguments.held_out)
    rows: list[dict[str, Any]] = []
    for each in arguments.each:
        found = [
            measure(labelled, held_out, arguments.encoder, each, seed)
            for seed in range(arguments.draws)
        ]
        means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        spread = float(np.std([one["accuracy"] for one in found]))
        rows.append({"images a class": each, "draws": len(found), **means, "±": spread})
        print(rows[-1], flush=True)
    report(
        f"{arguments.labelled.name}: the default recipe",
        rows,
        arguments.json,
        [f"Tested on {len(held_out.labels)} other images; ±: standard deviation of the draws."],
    )


if __name__ == "__main__":
    main()
