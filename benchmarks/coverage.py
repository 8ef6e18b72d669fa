"""How often the gate's intervals contain the truth: `python -m benchmarks.coverage [FOLDERS]`.

Three simulations, each a table in Markdown. They need neither TFX nor TensorFlow.

1. Made-up test sets, of which the truth is known: images are points around the direction of their
   class, with a spread that gives the error rate. Precision and recall are also measured at a
   strict threshold, at which few pairs are called the same.
2. Real images: 200 small data sets are drawn, of digits (scikit-learn's) or of the class folders
   of all FOLDERS; a model is judged on a few images, and compared with its figures on all others.
   It is SimpleShot on pixels (digits) or on histograms of oriented gradients (FOLDERS). Intervals
   are for this model with its support set and thresholds: the test images are what is random.
3. Labels that mean nothing: the share of trials that pass as better than chance.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import cv2
import numpy as np

from judging.classifier import Support, nearest_centroid
from judging.gate import CHANCE_LEVEL
from judging.judgement import Measure
from judging.measurements import Measurements
from judging.metrics.classes import JudgedClasses, judge_classes
from judging.metrics.episodes import judge_episodes
from judging.metrics.open_set import judge_open_set
from judging.metrics.pairs import JudgedPairs, judge_pairs
from judging.settings import METRICS, Episodes
from judging.statistics.permutation import permutation_p_value
from judging.statistics.roc import Roc, equal_error_rate
from judging.views import CANDIDATE, HeldOutImages, PairSettings, View

SIZES = ((2, 3), (6, 4), (10, 8), (20, 20))
"""Classes, and test images of each."""

RATES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)
"""Shares of images that are classified incorrectly."""

STRICT = " (strict)"
"""Ends the names of metrics at a threshold that calls one in a hundred different pairs the same."""

DIMENSIONS = 24
EPISODES = Episodes(count=200)


class Judged(NamedTuple):
    """One test set's metrics, and the outcomes that the truth is calculated from."""

    metrics: dict[str, Measure]
    classes: JudgedClasses
    pairs: JudgedPairs | None


def judge(images: HeldOutImages, view: View, seed: int, paired: int = 500) -> Judged:
    """Return all metrics of a test set, without the rest of a judgement.

    Args:
        images: The test set.
        view: The model's.
        seed: Seed of the pairs and episodes.
        paired: Images that are paired at most.
    """
    measurements, views = Measurements({}), {CANDIDATE: view}
    # The p-value is no metric, and takes longer than all of them.
    with patch("judging.metrics.classes.permutation_p_value", return_value=np.nan):
        classes = judge_classes(images, views, True, None, measurements)
    pairs = judge_pairs(images, views, PairSettings(most_images=paired, seed=seed), measurements)
    judge_open_set(images, np.zeros(0, int), views, measurements)
    judge_episodes(images, views, EPISODES, seed, measurements)
    return Judged(measurements.metrics, classes, pairs)


def similarity(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return similarities float [p] of embeddings [p, d]: the higher, the nearer."""
    return np.exp(-np.linalg.norm(left - right, axis=1))


def test_set(labels: np.ndarray) -> HeldOutImages:
    """Return images of these classes, each a group by itself."""
    ids = np.array([f"{i:05d}" for i in range(len(labels))])
    return HeldOutImages(ids, labels, ids, np.arange(len(ids)))


# --- 1. made-up test sets -------------------------------------------------------------------------


class Points:
    """Draws test sets of the same classes, and judges them by one model.

    Args:
        classes: Number of classes.
        each: Test images of each.
        rate: Share of images that the model classifies incorrectly.
    """

    def __init__(self, classes: int, each: int, rate: float) -> None:
        self._rng = np.random.default_rng(0)
        self._centres = np.eye(DIMENSIONS)[:classes]
        self._spread = self._spread_of(rate)
        self.images = test_set(self._labels(each))
        view = View("", np.empty(0), np.empty((0, DIMENSIONS)), self._support(), similarity)
        scores, same = self._scores(view)
        roc = Roc(scores, same)
        strict = roc.thresholds[np.flatnonzero(roc.fpr <= 0.01)[0]]
        self._views = [
            view._replace(same=limit, known=0.5)
            for limit in (roc.thresholds[roc.equal_error()], strict)
        ]

    def draw(self) -> tuple[Judged, Judged]:
        """Return a new test set's metrics, and those of its pairs at the strict threshold."""
        points = self._points(self.images.labels)
        views = [view._replace(embeddings=points) for view in self._views]
        judged, strict = judge(self.images, views[0], seed=0), Measurements({})
        pairs = judge_pairs(self.images, {CANDIDATE: views[1]}, PairSettings(), strict)
        return judged, Judged(strict.metrics, judged.classes, pairs)

    def _labels(self, each: int) -> np.ndarray:
        return np.repeat([f"c{i:02d}" for i in range(len(self._centres))], each)

    def _points(self, labels: np.ndarray) -> np.ndarray:
        which = np.unique(labels, return_inverse=True)[1]
        noise = self._rng.normal(scale=self._spread, size=(len(labels), DIMENSIONS))
        return self._centres[which] + noise

    def _support(self) -> Support:
        labels = self._labels(12)
        return Support(self._points(labels), labels, labels)

    def _scores(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        labels = self._labels(max(4, 400 // len(self._centres)))
        images = test_set(labels)
        view = view._replace(embeddings=self._points(labels), same=0.5, known=0.5)
        pairs = judge(images, view, seed=0).pairs
        assert pairs
        return pairs.similarities[CANDIDATE], pairs.pairs.same

    def _spread_of(self, rate: float) -> float:
        """Return the spread that gives an error rate, by bisection."""
        if rate == 0:
            return 0.05
        low, high = 0.05, 3.0
        labels = self._labels(4000 // len(self._centres))
        for _ in range(12):
            self._spread = (low + high) / 2
            support = self._support()
            guess = nearest_centroid(support.embeddings, support.labels, self._points(labels))
            low, high = (low, self._spread) if np.mean(guess != labels) > rate else (
                self._spread, high,
            )  # fmt: skip
        return low


def truth(draws: Sequence[Judged]) -> dict[str, float]:
    """Return the metrics of infinitely many images, from those of many test sets.

    A share's is its mean. A ratio's, a minimum's and an equal error rate's are not: they follow
    from all outcomes taken together.
    """
    found = {
        name: float(np.mean([d.metrics[name].value for d in draws if name in d.metrics]))
        for name in METRICS
        if any(name in d.metrics for d in draws)
    }
    classes = [d.classes for d in draws]
    labels = np.concatenate([c.labels for c in classes])
    hits = labels == np.concatenate([c.answers.label for c in classes])
    found["worst_class_recall"] = min(float(hits[labels == c].mean()) for c in np.unique(labels))
    pairs = [d.pairs for d in draws if d.pairs]
    if pairs:
        same = np.concatenate([p.pairs.same for p in pairs])
        scores = np.concatenate([p.similarities[CANDIDATE] for p in pairs])
        called = scores >= pairs[0].threshold.value
        found["precision"] = float(same[called].mean()) if called.any() else np.nan
        found["equal_error_rate"] = equal_error_rate(Roc(scores, same)).value
    return found


def coverage(classes: int, each: int, rate: float, draws: int) -> dict[str, float]:
    """Return the share of intervals that contain the truth, by metric."""
    points = Points(classes, each, rate)
    judged, strict = zip(*(points.draw() for _ in range(draws)), strict=True)
    found = _held(judged, truth(judged), METRICS)
    of_strict = _held(strict, truth(strict), ("precision", "recall"))
    return {**found, **{name + STRICT: share for name, share in of_strict.items()}}


def _held(
    judged: Sequence[Judged], true: dict[str, float], metrics: Sequence[str]
) -> dict[str, float]:
    return {
        name: float(np.mean([_holds(m, true[name]) for m in measures]))
        for name in metrics
        if (measures := [d.metrics[name] for d in judged if name in d.metrics])
    }


def _holds(measure: Measure, true: float) -> bool:
    return measure.low - 1e-9 <= true <= measure.high + 1e-9


# --- 2. real images -------------------------------------------------------------------------------

DATA_SETS = 200
OF_SUPPORT, OF_TEST = 12, 8
"""Images of each class in a small data set."""

COMPARABLE = (
    "auc", "recall", "equal_error_rate", "class_accuracy", "worst_class_recall", "open_set_auc",
    "open_set_accuracy",
)  # fmt: skip
"""Metrics that do not depend on the share of same pairs, which goes by the images of a class."""


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: pixels float [n, 64] and labels str [n]."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data / 16, found.target.astype(str)


def gradients(folders: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return histograms of oriented gradients float [n, d] and labels str [n] of class folders.

    Args:
        folders: Of the class folders; the images of a class may be in several.
    """
    hog = cv2.HOGDescriptor((64, 64), (32, 32), (32, 32), (16, 16), 9)
    files = sorted(file for one in folders for file in one.glob("*/*") if file.is_file())
    images = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    rows = [np.ravel(hog.compute(cv2.resize(image, (64, 64)))) for image in images]
    return np.stack(rows), np.array([file.parent.name for file in files])


def real_coverage(embeddings: np.ndarray, labels: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Return the share of intervals that contain the truth, by metric.

    The truth is estimated by the figure on all other images. These m images are a sample too, so
    that it differs from the figure on n images by sqrt(1 + n / m) of what the truth does.
    """
    rng, held = np.random.default_rng(seed), defaultdict(list)
    for _ in range(DATA_SETS):
        order = rng.permutation(len(labels))
        rank = np.empty(len(labels), int)
        for c in np.unique(labels):
            of_class = order[labels[order] == c]
            rank[of_class] = np.arange(len(of_class))
        some = rank < OF_SUPPORT
        support = Support(embeddings[some], labels[some], labels[some])
        view = View("", np.empty(0), embeddings[:0], support, similarity, same=0.2, known=0.6)
        tested, rest = (
            (rank >= OF_SUPPORT) & (rank < OF_SUPPORT + OF_TEST),
            rank >= OF_SUPPORT + OF_TEST,
        )
        few, many = (
            judge(
                test_set(labels[w]), view._replace(embeddings=embeddings[w]), 0, paired=int(w.sum())
            ).metrics
            for w in (tested, rest)
        )
        excess = np.sqrt(1 + tested.sum() / rest.sum())
        for name in COMPARABLE:
            if name in few and name in many:
                own = few[name].value
                held[name].append(_holds(few[name], own + (many[name].value - own) / excess))
    return {name: float(np.mean(found)) for name, found in held.items()}


# --- 3. labels that mean nothing ------------------------------------------------------------------


def passed_by_chance(classes: int, each: int, trials: int, shuffles: int = 199) -> float:
    """Return the share of trials in which labels that mean nothing are better than chance."""
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(classes), each)
    passed = 0
    for seed in range(trials):
        support, query = rng.normal(size=(2, len(labels), 8))
        guess = nearest_centroid(support, labels, query)
        p_value = permutation_p_value(labels, guess, np.arange(len(labels)), shuffles, seed)
        passed += p_value <= CHANCE_LEVEL
    return passed / trials


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="*", help="real images: class folders")
    parser.add_argument("--draws", type=int, default=400, help="test sets of each kind")
    parser.add_argument("--trials", type=int, default=1000, help="of labels that mean nothing")
    asked = parser.parse_args()
    for classes, each in SIZES:
        columns = [coverage(classes, each, rate, asked.draws) for rate in RATES]
        _table(f"{classes} classes of {each} images", [f"{r:.0%}" for r in RATES], columns)
    _table("digits", ["coverage"], [real_coverage(*digits())])
    if asked.folders:
        _table(asked.folders[0].name, ["coverage"], [real_coverage(*gradients(asked.folders))])
    shares = [
        {
            f"{classes} classes": passed_by_chance(classes, each, asked.trials)
            for classes in range(2, 11)
        }
        for each in range(2, 11)
    ]
    _table("labels that mean nothing", [f"{each} images" for each in range(2, 11)], shares)


def _table(title: str, names: Sequence[str], columns: Sequence[dict[str, float]]) -> None:
    print(f"\n| {title} | {' | '.join(names)} |\n|---|{'---:|' * len(names)}", flush=True)
    for row in dict.fromkeys(key for column in columns for key in column):
        cells = (f"{column[row]:.3f}" if row in column else "" for column in columns)
        print(f"| {row} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
