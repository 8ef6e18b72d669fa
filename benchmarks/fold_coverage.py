"""How often intervals contain the truth where images are in folds: see `main`.

    python -m benchmarks.fold_coverage [--each 6 12 24] [--draws 200]

Small data sets are drawn from scikit-learn's digits. The Trainer's procedure runs on each: a head
is chosen, fitted and calibrated for each fold and for all images. The truth is what the final model
does on all other digits; its unknown images are those of other classes. The models of the folds
have learned from fewer images, so the judged value is a little lower on average.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
from sklearn.datasets import load_digits

from judging.classifier import Support
from judging.folded_view import AnyView, view_in_folds
from judging.judgement import Measure
from judging.measurements import Measurements
from judging.metrics.classes import judge_classes
from judging.metrics.open_set import judge_open_set
from judging.metrics.pairs import judge_pairs
from judging.statistics.fold_intervals import widened
from judging.views import CANDIDATE, HeldOutImages, PairSettings, View
from records.out_of_fold import OutOfFold
from trainer.recipe.choice import FittedHead, fit_best_head
from trainer.recipe.cross_validation import LabelledFeatures
from trainer.recipe.folds import out_of_fold
from trainer.settings import Training
from trainer.training.images import Images

FOLDS = 5
METRICS = ("class_accuracy", "auc", "accuracy", "open_set_accuracy")


def measure(images: HeldOutImages, view: AnyView) -> dict[str, Measure]:
    """Return the metrics of a test set."""
    measurements, views = Measurements({}), {CANDIDATE: view}
    # The p-value is no metric, and takes longer than all of them.
    with patch("judging.metrics.classes.permutation_p_value", return_value=np.nan):
        judge_classes(images, views, True, None, measurements)
    judge_pairs(images, views, PairSettings(most_images=2000), measurements)
    unknown_groups = -1 - np.arange(len(view.unknown))
    open_set = judge_open_set(images, unknown_groups, views, measurements)
    if open_set is not None:
        measurements.metrics["false_accepts"] = open_set.threshold.false_accepts
    folds = None if images.folds is None else len(np.unique(images.folds))
    return widened(measurements.metrics, folds)


class Draw:
    """A small data set, what is found out of fold, and the truth.

    Args:
        features: float [n, d], of all images.
        labels: str [n].
        each: Images of each class to draw.
        unknown: float [u, d], of images of other classes, for the truth alone.
        seed: Of the draw.
    """

    def __init__(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        each: int,
        unknown: np.ndarray,
        seed: int,
    ) -> None:
        rng = np.random.default_rng(seed)
        drawn, folds = [], []
        for turn, label in enumerate(np.unique(labels)):
            drawn.append(rng.permutation(np.flatnonzero(labels == label))[:each])
            used = min(FOLDS, -(-each // 2))
            folds.append((np.arange(each) + turn) % used)
        some = np.concatenate(drawn)
        rest = np.setdiff1d(np.arange(len(labels)), some)
        images = _images(labels[some], np.concatenate(folds))
        rows = features[some][:, None].astype("float32")
        labelled = LabelledFeatures(np.empty(0), images.labels, np.arange(len(some)))
        settings = Training(views=1)
        final = fit_best_head(lambda views: rows, labelled, settings, seed)
        with contextlib.redirect_stdout(io.StringIO()):
            found = out_of_fold(
                lambda views: rows, images, labelled, settings, seed,
                lambda labels: np.arange(len(labels)), final,
            )  # fmt: skip
        self.scored_by = final.thresholds.scored_by
        self.of_folds = [one.scored_by for one in found.models]
        self.judged = _judged(found, final, rows, images)
        self.true = _true(
            final, rows, images, features[rest][:, None], labels[rest], unknown[:, None]
        )


def _images(labels: np.ndarray, folds: np.ndarray) -> Images:
    names = [b"%05d" % i for i in range(len(labels))]
    hashes = [b"%064x" % i for i in range(len(labels))]
    return Images(np.empty(0), labels, names, names, hashes, names, folds)


def _judged(
    found: OutOfFold, final: FittedHead, rows: np.ndarray, images: Images
) -> dict[str, Measure]:
    places = np.arange(len(images.labels))
    names = places.astype(str)
    thresholds = final.thresholds
    support = Support(final.embed(rows), images.labels, names, thresholds.scored_by)
    own = View("", np.empty((0, 1)), np.empty((0, 1)), support, None, thresholds.same,
               thresholds.known)  # fmt: skip
    held = HeldOutImages(names, images.labels, names, places, found.folds)
    return measure(held, view_in_folds(found, places, own))


def _true(
    final: FittedHead,
    rows: np.ndarray,
    images: Images,
    others: np.ndarray,
    labels: np.ndarray,
    unknown: np.ndarray,
) -> dict[str, Measure]:
    """Return the metrics of the final model on images that it has not learned from."""

    def similarity(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        logits = final.similarity.scale * (left * right).sum(axis=1) + final.similarity.offset
        return 1 / (1 + np.exp(-logits))

    names = np.arange(len(labels)).astype(str)
    thresholds, files = final.thresholds, np.arange(len(rows)).astype(str)
    support = Support(final.embed(rows), images.labels, files, thresholds.scored_by)
    view = View("", final.embed(others), final.embed(unknown), support, similarity,
                thresholds.same, thresholds.known)  # fmt: skip
    return measure(HeldOutImages(names, labels, names, np.arange(len(labels))), view)


def table(title: str, draws: Sequence[Draw]) -> str:
    """Return the coverage of each metric as a table in Markdown."""
    lines = [
        f"**{title}**",
        "",
        "| metric | judged, mean | truth, mean | interval holds | lower bound too high |",
        "|---|---|---|---|---|",
    ]
    for name in METRICS:
        both = [(d.judged[name], d.true[name].value) for d in draws if name in d.judged]
        judged, true = (np.mean(column) for column in ([m.value for m, _ in both],
                                                       [t for _, t in both]))  # fmt: skip
        holds = np.mean([m.low <= t <= m.high for m, t in both])
        above = np.mean([m.low > t for m, t in both])
        lines.append(f"| {name} | {judged:.3f} | {true:.3f} | {holds:.1%} | {above:.1%} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table for each number of images."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--each", type=int, nargs="+", default=[6, 12, 24])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--classes", type=int, default=6)
    asked = parser.parse_args()
    features, targets = load_digits(return_X_y=True)
    kept = targets < asked.classes
    unknown, features, labels = features[~kept], features[kept], targets[kept].astype(str)
    for each in asked.each:
        draws = [Draw(features, labels, each, unknown, seed) for seed in range(asked.draws)]
        print(table(f"{asked.classes} classes, {each} images each", draws), flush=True)


if __name__ == "__main__":
    main()
