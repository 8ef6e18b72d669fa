"""Whether scores tell images of known classes from those of unknown ones. NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from judging.metrics.classification import Support
from judging.statistics.influence import Estimate, complement, mean, share, stacked
from judging.statistics.intervals import by_images
from judging.statistics.roc import Ranked, auc
from judging.thresholds import best_scores, known_and_unknown

METRICS = ("open_set_auc", "open_set_accuracy", "false_accepts", "false_rejects")
"""What is measured, in this order."""


class Scores(NamedTuple):
    """Best classes' scores of images, of known classes and of unknown ones.

    Attributes:
        known: float64 [k].
        known_image: int [k], which images they are of.
        unknown: float64 [u].
        unknown_image: int [u]; an image may be among both, once with its class and once without.
    """

    known: np.ndarray
    known_image: np.ndarray
    unknown: np.ndarray
    unknown_image: np.ndarray


def open_set_scores(
    support: Support, embeddings: np.ndarray, labels: np.ndarray, unknown: np.ndarray
) -> Scores | None:
    """Scores as `judging.thresholds.known_and_unknown` makes them.

    Args:
        support: The model's support set.
        embeddings: float [n, d], of test images.
        labels: str [n], their classes.
        unknown: float [u, d], embeddings of images of no class; they count from n on. Where there
            are any, they are the unknown ones; else each class is once left out.

    Returns:
        None where there are too few classes for it.
    """
    found = known_and_unknown(support.embeddings, support.labels, embeddings, labels)
    if not len(unknown):
        return found and Scores(found.known, found.queries, found.unknown, found.queries)
    places = len(embeddings) + np.arange(len(unknown))
    if set(labels) <= set(support.labels):
        known, queries = (
            best_scores(support.embeddings, support.labels, embeddings),
            len(embeddings),
        )
        unknown = best_scores(support.embeddings, support.labels, unknown)
        return Scores(known, np.arange(queries), unknown, places)
    if found is None:
        return None
    of_support = np.ones(len(embeddings), bool)
    of_support[found.queries] = False
    unknown = best_scores(embeddings[of_support], labels[of_support], unknown)
    return Scores(found.known, found.queries, unknown, places)


class Metrics(NamedTuple):
    """What several models come to on the same images.

    Attributes:
        values: float64 [k, m], of each model each of `METRICS`.
        covariance: float64 [k * m, k * m], with the images.
        images: Of each of `METRICS` how many it goes by.
        least: Of each of `METRICS` how many independent trials it is worth in any case: an AUC of
            as many couples of a known and an unknown image as have no image in common; a mean of
            two shares is worth twice the smaller number, if its images are not the same.
    """

    values: np.ndarray
    covariance: np.ndarray
    images: tuple[int, ...]
    least: tuple[int, ...]


def measure(found: Sequence[Scores], thresholds: Sequence[float]) -> Metrics:
    """Measure models on the same images.

    Args:
        found: Of each model.
        thresholds: Of each model, at and above which it takes an image for known.
    """
    cases = [np.concatenate([scores.known_image, scores.unknown_image]) for scores in found]
    images, places = np.unique(np.concatenate(cases), return_inverse=True)
    # An image's influence is that of its cases; a model may have others than the next one.
    of_model = np.split(places, np.cumsum([len(case) for case in cases])[:-1])
    rows = [
        [_of_images(one, place, len(images)) for one in _metrics(scores, at)]
        for scores, at, place in zip(found, thresholds, of_model, strict=True)
    ]
    values, influence = stacked(rows)
    known, unknown, every = len(found[0].known), len(found[0].unknown), len(images)
    few = min(known, unknown)
    return Metrics(
        values,
        by_images(influence),
        (every, every, unknown, known),
        (few, min(every, 2 * few), unknown, known),
    )


def _of_images(one: Estimate, image: np.ndarray, count: int) -> Estimate:
    return Estimate(one.value, np.bincount(image, one.influence, count))


def _metrics(scores: Scores, threshold: float) -> list[Estimate]:
    every = np.concatenate([scores.known, scores.unknown])
    known = np.arange(len(every)) < len(scores.known)
    yes = every.astype("float32") >= np.float32(threshold)
    false, missed = share(yes, ~known), share(~yes, known)
    # The mean of both kinds, however many there are of each.
    return [auc(Ranked(every, known)), complement(mean(false, missed)), false, missed]
