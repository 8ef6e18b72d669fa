"""False alarms of `siamese monitor`, and what it finds: see `main`.

    python -m benchmarks.monitoring [--features FILE.npz] [--reference 120] [--weeks 200]

Each week draws new judged images (the reference), new traffic of 200 images, and trains a head on
the former, all from one set of images, so that without a change both are of one kind. Without
`--features` these are scikit-learn's digits by their pixels.

`python -m benchmarks.monitoring --embed FOLDER --encoder MODEL.keras --features FILE.npz` embeds
the images of class folders with a pretrained encoder, as they are and changed, once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from sklearn.datasets import load_digits

from judging.classifier import class_centroids, cosines
from judging.reference import Reference
from judging.statistics.roc import Roc
from monitoring.accuracy import estimated
from monitoring.drift import drift_tests
from monitoring.findings import Test
from monitoring.sample import Sample
from monitoring.settings import MonitorSettings
from trainer.recipe.heads import CANDIDATES, Head, prepare

FOLDS = 5
NEW_SHARES = (0.05, 0.1, 0.2)
FAR = "far"
"""Images of another kind altogether, among the features."""


# --- images and their changes ---------------------------------------------------------------------


def brighter(image: np.ndarray) -> np.ndarray:
    """Return an image that is brighter by a third, and more."""
    return np.clip(image.astype("float32") * 1.35 + 15, 0, 255).astype("uint8")


def blurred(image: np.ndarray) -> np.ndarray:
    """Return an image out of focus."""
    return cv2.GaussianBlur(image, (0, 0), max(0.6, image.shape[0] / 80))


def of_another_camera(image: np.ndarray) -> np.ndarray:
    """Return an image as by another camera: gamma, white balance, a nearer lens, noise, JPEG."""
    rng = np.random.default_rng(int(image.sum()))
    height, width = image.shape[:2]
    cut = max(1, int(height * 0.03)) if height > 32 else 0
    found = 255 * (image / 255.0) ** 0.85 * np.array([1.0, 0.97, 0.9])
    found = cv2.resize(found[cut : height - cut, cut : width - cut], (width, height))
    found = np.clip(found + rng.normal(0, 4, found.shape), 0, 255).astype("uint8")
    quality = [cv2.IMWRITE_JPEG_QUALITY, 70]
    return cv2.imdecode(cv2.imencode(".jpg", found, quality)[1], cv2.IMREAD_COLOR)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda image: image,
    "brightness": brighter,
    "blur": blurred,
    "another camera": of_another_camera,
}


def digits() -> dict[str, np.ndarray]:
    """Return the labels of scikit-learn's digits, and their pixels by change."""
    found = load_digits()
    images = [
        cv2.cvtColor((one * 15.9).astype("uint8"), cv2.COLOR_GRAY2BGR) for one in found.images
    ]
    pixels = {
        name: np.stack([change(one)[..., 0].ravel() / 255.0 for one in images])
        for name, change in CHANGES.items()
    }
    return {"labels": found.target.astype(str), **pixels}


def embedded(folder: Path, encoder: Path, far: Path | None) -> dict[str, np.ndarray]:
    """Return the labels of the images in class folders, and their features by change."""
    import keras

    model = keras.models.load_model(encoder, compile=False)
    size = model.input_shape[1:3]

    def features(files: list[Path], change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        parts = []
        for start in range(0, len(files), 32):
            images = [change(cv2.imread(str(one))) for one in files[start : start + 32]]
            batch = np.stack([cv2.resize(x, size, interpolation=cv2.INTER_CUBIC) for x in images])
            parts.append(np.asarray(model(batch[..., ::-1].astype("float32"), training=False)))
        return np.concatenate(parts)

    files = sorted(one for one in folder.glob("*/*") if cv2.haveImageReader(str(one)))
    found = {"labels": np.array([one.parent.name for one in files])}
    found |= {name: features(files, change) for name, change in CHANGES.items()}
    if far:
        found[FAR] = features(sorted(far.rglob("*.*"))[:60], CHANGES["none"])
    return found


# --- weeks ----------------------------------------------------------------------------------------


class Week(NamedTuple):
    """A reference and a week's traffic, and which of its images are classified correctly."""

    reference: Reference
    traffic: Sample
    correct: np.ndarray


class Weeks:
    """Draws weeks.

    Args:
        features: Labels, and features float [n, d] by change.
        judged: Images of a reference, all of which the final head is trained on.
        asked: Images of a week.
        head: Number of the head, of `trainer.recipe.heads.CANDIDATES`.
    """

    def __init__(
        self, features: Mapping[str, np.ndarray], judged: int, asked: int, head: int
    ) -> None:
        self._labels = features["labels"]
        self._prepared = {
            name: prepare(rows)[:, None, :] for name, rows in features.items() if name != "labels"
        }
        self._judged, self._asked, self._head = judged, asked, CANDIDATES[head]

    def draw(self, seed: int, change: str = "none", share: float = 0.0, far: bool = False) -> Week:
        """Return a week.

        Args:
            seed: Of all that is drawn.
            change: What happened to all of its images.
            share: Share of its images that are of a new class.
            far: Whether these are of another kind altogether, else of a class left out.
        """
        rng = np.random.default_rng(seed)
        classes = np.unique(self._labels)
        new = classes[seed % len(classes)] if share and not far else None
        order = rng.permutation(np.flatnonzero(self._labels != new))
        judged, rest = order[: self._judged], order[self._judged :]
        count = round(share * self._asked)
        asked = rest[: min(len(rest), self._asked - count)]
        final = self._head.fit(self._prepared["none"][judged], self._labels[judged])
        rows = final.embed(self._prepared[change][asked])
        if count:
            pool = self._prepared[FAR if far else "none"]
            pool = pool if far else pool[self._labels == new]
            rows[:count] = final.embed(rng.permutation(pool)[:count])
            rows = rows[: len(asked)]
        reference, known = self._reference(judged, rng)
        support = final.embed(self._prepared["none"][judged]), self._labels[judged]
        predicted, best, margins = _answers(*support, rows)
        every = np.ones(len(rows), bool)
        traffic = Sample(predicted, best, margins, best >= known, every, rows.astype("float32"))
        return Week(reference, traffic, predicted == self._labels[asked])

    def _reference(self, judged: np.ndarray, rng: np.random.Generator) -> tuple[Reference, float]:
        """Return the judged images as heads of other folds answer, and the threshold."""
        labels, rows = self._labels[judged], self._prepared["none"][judged]
        folds = rng.permutation(np.arange(len(judged)) % FOLDS)
        found = [np.empty(len(judged), labels.dtype), *(np.empty(len(judged)) for _ in range(2))]
        embeddings, unknown = np.empty((len(judged), rows.shape[2])), []
        for fold in range(FOLDS):
            others, own = folds != fold, folds == fold
            head: Head = self._head.fit(rows[others], labels[others])
            support = head.embed(rows[others])
            embeddings[own] = head.embed(rows[own])
            for column, values in zip(
                found, _answers(support, labels[others], embeddings[own]), strict=True
            ):
                column[own] = values
            unknown += _without_their_class(support, labels[others], embeddings[own], labels[own])
        both = np.append(found[1], unknown)
        roc = Roc(both, np.arange(len(both)) < len(judged))
        known = float(roc.thresholds[roc.equal_error()])
        predicted, best, margins = found
        images = np.arange(len(judged))
        return Reference(labels, predicted, best, margins, best >= known, images, embeddings), known


def _answers(
    support: np.ndarray, labels: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the classes of embeddings, their scores and margins."""
    known = class_centroids(support, labels)
    every = cosines(known.distances(rows))
    ordered = np.sort(every, axis=1)
    return known.classes[every.argmax(axis=1)], ordered[:, -1], ordered[:, -1] - ordered[:, -2]


def _without_their_class(
    support: np.ndarray, labels: np.ndarray, rows: np.ndarray, own: np.ndarray
) -> list[float]:
    """Return the best scores of images with their own class left out of the support set."""
    found: list[float] = []
    for label in np.unique(own):
        others = labels != label
        found += _answers(support[others], labels[others], rows[own == label])[1].tolist()
    return found


# --- results --------------------------------------------------------------------------------------


def _alarms(weeks: Weeks, count: int, **of_week: Any) -> tuple[float, str]:
    """Return the share of weeks with an alarm, and by which tests."""
    alarms: list[list[Test]] = []
    for seed in range(count):
        week = weeks.draw(seed, **of_week)
        tests = drift_tests(week.reference, week.traffic, MonitorSettings(), seed)
        alarms.append([one for one in tests if one.drifted])
    names = [one.name for found in alarms for one in found]
    told = ", ".join(f"{name} {names.count(name) / count:.0%}" for name in sorted(set(names)))
    return float(np.mean([bool(found) for found in alarms])), told


def _coverage(weeks: Weeks, count: int) -> tuple[float, float]:
    """Return how often the estimate's interval holds the week's accuracy, and its mean width.

    The accuracy of a week is that of its own images, to which the interval allows for.
    """
    inside, widths = [], []
    for seed in range(count):
        week = weeks.draw(seed)
        found = estimated(week.reference, week.traffic)
        if found is not None:
            truth = float(week.correct[week.traffic.known].mean())
            inside.append(found.low <= truth <= found.high)
            widths.append(found.high - found.low)
    return float(np.mean(inside)), float(np.mean(widths))


def main() -> None:
    """Print a table in Markdown: alarms without a change and with planted ones, and coverage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--embed", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--far", type=Path, help="Folder of images of another kind altogether.")
    parser.add_argument("--reference", type=int, default=120)
    parser.add_argument("--asked", type=int, default=200)
    parser.add_argument("--weeks", type=int, default=200)
    parser.add_argument("--planted", type=int, default=50)
    parser.add_argument("--head", type=int, default=0)
    options = parser.parse_args()
    if options.embed:
        np.savez(options.features, **embedded(options.embed, options.encoder, options.far))
        return
    features = dict(np.load(options.features)) if options.features else digits()
    weeks = Weeks(features, options.reference, options.asked, options.head)
    print("| planted | weeks | alarms | by test |\n|---|---:|---:|---|")

    def row(name: str, count: int, **of_week: object) -> None:
        share, told = _alarms(weeks, count, **of_week)
        print(f"| {name} | {count} | {share:.1%} | {told} |", flush=True)

    row("nothing", options.weeks)
    for change in list(CHANGES)[1:]:
        row(change, options.planted, change=change)
    for share in NEW_SHARES:
        row(f"a class left out, {share:.0%}", options.planted, share=share)
        if FAR in features:
            row(f"another kind, {share:.0%}", options.planted, share=share, far=True)
    inside, width = _coverage(weeks, options.weeks)
    print(f"\nInterval of the estimated accuracy: {inside:.1%} hold it, mean width {width:.3f}.")


if __name__ == "__main__":
    main()
