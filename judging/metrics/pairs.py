"""Pair metrics: how well similarities separate pairs of the same class from other pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from base.errors import DataError
from judging.folded_view import AnyView
from judging.judgement import Curve, Measure, Threshold
from judging.measurements import Measurements, curve, is_defined, threshold, with_intervals
from judging.statistics.influence import Estimate, centred, complement, share, stacked
from judging.statistics.intervals import by_pairs, effective_groups
from judging.statistics.roc import Roc, auc, equal_error_rate
from judging.views import CANDIDATE, HeldOutImages, PairSettings
from records.pair_sampling import held_out_pairs

METRICS = ("auc", "accuracy", "precision", "recall", "equal_error_rate")
"""Metrics of a model."""

_MEASURED = (*METRICS, "false_accepts", "false_rejects")


class Pairs(NamedTuple):
    """Pairs among n images.

    Attributes:
        left: int [p], the index of an image each.
        right: int [p], that of another.
        same: bool [p], whether both are of one class.
    """

    left: np.ndarray
    right: np.ndarray
    same: np.ndarray


class JudgedPairs(NamedTuple):
    """The pairs of the test images and the models' similarities.

    Attributes:
        pairs: p pairs.
        groups: int [n], the groups of the n images.
        similarities: float [p] of each model, by name.
        threshold: The candidate's own.
        curve: The ROC curve of its similarities.
    """

    pairs: Pairs
    groups: np.ndarray
    similarities: dict[str, np.ndarray]
    threshold: Threshold
    curve: Curve

    def counts(self) -> dict[str, int]:
        """Return the number of pairs of each kind."""
        same = int(self.pairs.same.sum())
        return {"same": same, "different": len(self.pairs.same) - same}

    def at(self, limit: float) -> Threshold:
        """Return the error rates at another threshold."""
        scores = {CANDIDATE: self.similarities[CANDIDATE]}
        measures, _ = measure_pairs(self.pairs, self.groups, scores, [limit])
        return threshold(limit, measures[CANDIDATE], "accuracy")

    def of_class(self, labels: np.ndarray, label: str) -> dict[str, Measure]:
        """Return accuracy and AUC of the pairs with an image of a class; nothing without pairs.

        Args:
            labels: str [n], the images' classes.
            label: The class.
        """
        chosen = (labels[self.pairs.left] == label) | (labels[self.pairs.right] == label)
        if not chosen.any():
            return {}
        some = Pairs(*(column[chosen] for column in self.pairs))
        scores = {CANDIDATE: self.similarities[CANDIDATE][chosen]}
        measures = measure_pairs(some, self.groups, scores, [self.threshold.value])[0][CANDIDATE]
        return {name: measures[name] for name in ("accuracy", "auc") if is_defined(measures[name])}


def judge_pairs(
    images: HeldOutImages,
    views: Mapping[str, AnyView],
    pairing: PairSettings,
    measurements: Measurements,
) -> JudgedPairs | None:
    """Measure the pairs of the test images, without those within a group.

    Args:
        images: The images.
        views: The models' views of them.
        pairing: How to pair them.
        measurements: Results are added to this object.

    Returns:
        None if there are no pairs, or the candidate has no similarity.
    """
    if not views[CANDIDATE].compares_pairs:
        measurements.skip(METRICS, "the model compares no pairs")
        return None
    try:
        drawn = draw_within_folds(images, pairing)
    except DataError as e:
        measurements.skip(METRICS, str(e))
        return None
    # Images of one group are alike whatever their class, and copies even more.
    apart = images.groups[drawn.left] != images.groups[drawn.right]
    drawn = Pairs(*(column[apart] for column in drawn))
    if drawn.same.all() or not drawn.same.any():
        measurements.skip(METRICS, "no pair of both kinds is of two groups of images")
        return None
    similarities = {
        name: view.similarities(drawn.left, drawn.right)
        for name, view in views.items()
        if view.compares_pairs
    }
    # NaN: of another model, the images of a pair are in different folds.
    similarities = {name: s for name, s in similarities.items() if np.isfinite(s).all()}
    thresholds = [views[name].same for name in similarities]
    measures, covariance = measure_pairs(drawn, images.groups, similarities, thresholds)
    measurements.add_all(dict.fromkeys(measures, METRICS), measures, covariance)
    return JudgedPairs(
        drawn,
        images.groups,
        similarities,
        threshold(views[CANDIDATE].same, measures[CANDIDATE], "accuracy"),
        curve(similarities[CANDIDATE], drawn.same, 0.0, 1.0),
    )


def draw_within_folds(images: HeldOutImages, pairing: PairSettings) -> Pairs:
    """Return the pairs of each fold; without folds, of all images.

    Raises:
        DataError: No fold makes pairs of both kinds.
    """
    parts, reasons = [], []
    for places in images.places_of_folds():
        try:
            drawn = draw_pairs(images.labels[places], *pairing)
        except DataError as e:
            reasons.append(e)
        else:
            parts.append(Pairs(places[drawn.left], places[drawn.right], drawn.same))
    if not parts:
        raise reasons[0]
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def draw_pairs(labels: np.ndarray, partners: int, most_images: int, seed: int) -> Pairs:
    """Return the pairs that PairGen makes of the same images, and the Evaluator has judged.

    Args:
        labels: str [n], in the order of the images' ids.
        partners: As PairGen's `held_out_partners`.
        most_images: As its `held_out_max_images`.
        seed: As its own.

    Raises:
        DataError: No pair of the same class, or none of different classes, can be made.
    """
    blocks = held_out_pairs([str(x).encode() for x in labels], partners, most_images, seed)
    ends = np.array([block.images for block in blocks], int).reshape(-1, 2)
    if not len(ends):
        raise DataError(f"{len(labels)} images make no pairs of both kinds")
    return Pairs(ends[:, 0], ends[:, 1], labels[ends[:, 0]] == labels[ends[:, 1]])


def measure_pairs(
    pairs: Pairs,
    groups: np.ndarray,
    similarities: Mapping[str, np.ndarray],
    thresholds: Sequence[float],
) -> tuple[dict[str, dict[str, Measure]], np.ndarray]:
    """Measure models on the same pairs.

    Args:
        pairs: The pairs.
        groups: [n], the groups of the n images.
        similarities: float [p] of each of k models, by name.
        thresholds: At and above which each of them calls a pair the same.

    Returns:
        Of each model its m measures, by name; their covariance, float64 [k * m, k * m].
    """
    values, influence = stacked(
        [
            _estimates(pairs.same, scores, limit)
            for scores, limit in zip(_float32(similarities), thresholds, strict=True)
        ]
    )
    # How many pairs are of each kind is a matter of pairing, not of chance. Without this, precision
    # and accuracy vary too little: `by_pairs` subtracts the variance of the couples, and with it
    # what the kinds differ by, which cancels where an image has as many pairs of each.
    influence = centred(influence, pairs.same)
    covariance = by_pairs(influence, pairs.left, pairs.right, groups)
    behind = np.array(
        [
            _behind(pairs, groups, scores >= np.float32(limit))
            for scores, limit in zip(_float32(similarities), thresholds, strict=True)
        ]
    )
    images, disjoint, least, most = np.moveaxis(behind, 2, 0)
    measures = with_intervals(
        similarities, _MEASURED, values, covariance, images.astype(int), disjoint, least, most
    )
    return measures, covariance


def _behind(pairs: Pairs, groups: np.ndarray, called_same: np.ndarray) -> list[tuple[float, ...]]:
    """Return what each of `_MEASURED` rests on: its own cases, not all pairs.

    Returns:
        Of each metric the number of images, half of the number of their groups, the number of
        disjoint pairs, and the number of pairs. A metric that compares two kinds of pairs rests on
        the kind with fewer.
    """
    every = np.ones(len(pairs.same), bool)
    of_all, same, different, called = (
        _cases(pairs, groups, among) for among in (every, pairs.same, ~pairs.same, called_same)
    )
    fewer = (of_all[0], *map(min, same[1:], different[1:]))
    return [fewer, of_all, called, same, fewer, different, same]


def _cases(pairs: Pairs, groups: np.ndarray, among: np.ndarray) -> tuple[float, ...]:
    """Return the number of images, half of the groups, disjoint pairs and pairs of some pairs."""
    ends = np.concatenate([pairs.left[among], pairs.right[among]])
    # A group that is in many of the pairs makes them depend on each other (Kish 1965).
    disjoint = effective_groups(groups[ends]) / 2
    return len(np.unique(ends)), len(np.unique(groups[ends])) / 2, disjoint, float(among.sum())


def _float32(similarities: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return the similarities as the served graph compares them."""
    return [np.asarray(scores, "float32") for scores in similarities.values()]


def _estimates(same: np.ndarray, scores: np.ndarray, limit: float) -> list[Estimate]:
    """Return the estimates of `_MEASURED`."""
    roc = Roc(scores, same)
    called_same = scores >= np.float32(limit)
    recall = share(called_same, same)
    return [
        auc(roc),
        share(called_same == same, np.ones(len(same), bool)),
        share(same, called_same),
        recall,
        equal_error_rate(roc),
        share(called_same, ~same),
        complement(recall),
    ]
