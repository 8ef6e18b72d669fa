"""The frozen encoder's recipe on few images of a class, tested on others.

    python -m benchmarks.few_images LABELLED HELD_OUT ENCODER --each 1 5 20 --draws 10 --unlabelled

LABELLED and HELD_OUT hold a folder of images for each class; ENCODER is a pretrained Keras model
(`.keras`) for 224-pixel RGB images. Of LABELLED, `--each` images of each class are drawn; the
recipe chooses by cross-validation of these alone. With `--unlabelled` each draw is measured again,
with the other images of LABELLED without their classes (`data.unlabelled`); `--of-no-class FOLDER`
adds images of none of the classes, half as many. The encoder sees each image once for all draws.
The reference is the nearest centroid (SimpleShot) of the encoder's features as they are.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.pictures import SIZE, Pictures, drawn, read
from benchmarks.report import report


class Encoded(NamedTuple):
    """Images of a folder: features float32 [n, v, d] of the most views, and classes, str [n]."""

    features: np.ndarray
    labels: np.ndarray


def encode(pictures: Pictures, encoder: Path, views: int = 4) -> Encoded:
    """Return the features of images, each in a number of views.

    Args:
        pictures: The images.
        encoder: A Keras model.
        views: Number of views.
    """
    from trainer.network.backbone import build_backbone
    from trainer.recipe.cached_features import CachedFeatures
    from trainer.settings import ONE_TILE, Model

    model = Model(backbone=str(encoder.resolve()))
    backbone = build_backbone(model, SIZE, ONE_TILE)
    features = CachedFeatures(backbone, model, pictures.pixels).of_views(views)
    return Encoded(features, pictures.labels)


def measure(
    labelled: Encoded, held_out: Encoded, each: int, seed: int, unlabelled: np.ndarray | None
) -> dict[str, Any]:
    """Fit one draw and return its figures on the held-out images.

    Args:
        labelled: Images to draw from.
        held_out: Others.
        each: Images of a class.
        seed: Of the draw and of the cross-validation.
        unlabelled: float32 [s, v, d], images of none of the classes, which join those that are not
            drawn; None: no image is used without its class.
    """
    from sklearn.metrics import roc_auc_score

    from judging.classifier import nearest_centroid
    from trainer.recipe.choice import Unlabelled, fit_best_head
    from trainer.recipe.cross_validation import LabelledFeatures
    from trainer.settings import Training

    places = drawn(labelled.labels, each, seed)
    rows, labels, truth = labelled.features[places], labelled.labels[places], held_out.labels
    others = None
    if unlabelled is not None:
        rest = np.setdiff1d(np.arange(len(labelled.labels)), places)
        more = np.concatenate([labelled.features[rest], unlabelled])
        others = Unlabelled(lambda views: more[:, :views], np.full(len(more), -1))
    started = time.process_time()
    fitted = fit_best_head(
        lambda views: rows[:, :views],
        LabelledFeatures(np.empty(0), labels, np.arange(len(labels))),
        Training(),
        seed,
        unlabelled=others,
    )
    seconds = time.process_time() - started
    views = fitted.choice.views
    support, z = (fitted.embed(x[:, :views]) for x in (rows, held_out.features))
    guess = nearest_centroid(support, labels, z)
    some = np.random.default_rng(0).integers(0, len(truth), (2, 20_000))
    some = some[:, some[0] != some[1]]
    same = truth[some[0]] == truth[some[1]]
    cosines = (z[some[0]] * z[some[1]]).sum(axis=1)
    plain = nearest_centroid(rows[:, 0], labels, held_out.features[:, 0])
    return {
        "accuracy": float(np.mean(guess == truth)),
        "AUC of pairs": float(roc_auc_score(same, cosines)),
        "SimpleShot": float(np.mean(plain == truth)),
        "cross-validated": fitted.choice.found.accuracy,
        "views": views,
        "unlabelled used": float(fitted.choice.candidate.unlabelled),
        "CPU s": seconds,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--each", type=int, nargs="+", default=[20])
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--unlabelled", action="store_true")
    parser.add_argument("--of-no-class", type=Path, metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    started = time.process_time()
    labelled, held_out = (
        encode(read(x), arguments.encoder) for x in (arguments.labelled, arguments.held_out)
    )
    encoding = time.process_time() - started
    modes: dict[str, np.ndarray | None] = {"no": None}
    if arguments.unlabelled:
        modes["yes"] = labelled.features[:0]
    if arguments.of_no_class:
        every = encode(read(arguments.of_no_class), arguments.encoder).features
        half = np.random.default_rng(0).permutation(len(every))[: len(labelled.labels) // 2]
        modes["and images of no class"] = every[half]
    rows: list[dict[str, Any]] = []
    for each in arguments.each:
        for mode, unlabelled in modes.items():
            if unlabelled is not None and len(drawn(labelled.labels, each, 0)) == len(
                labelled.labels
            ):
                continue  # no image is left
            found = [
                measure(labelled, held_out, each, seed, unlabelled)
                for seed in range(arguments.draws)
            ]
            means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
            spread = float(np.std([one["accuracy"] for one in found]))
            row = {
                "images a class": each,
                "unlabelled": mode,
                "draws": len(found),
                **means,
                "±": spread,
            }
            rows.append(row)
            print(row, flush=True)
    report(
        f"{arguments.labelled.name}: the frozen encoder's recipe",
        rows,
        arguments.json,
        [
            f"Tested on {len(held_out.labels)} other images; ±: standard deviation of the draws.",
            f"Encoding all images in all views took {encoding:.0f} CPU s, once.",
        ],
    )


if __name__ == "__main__":
    main()
