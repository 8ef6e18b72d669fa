"""Judges whether a model tells pairs of the same class from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from base.errors import DataError
from judging.findings import Findings, curve, is_defined, threshold, with_intervals
from judging.judgement import Curve, Measure, Threshold
from judging.metrics import pairs
from judging.statistics.roc import Ranked
from judging.views import CANDIDATE, HeldOutImages, PairSettings, View

METRICS = ("auc", "accuracy", "precision", "recall", "equal_error_rate")


class JudgedPairs(NamedTuple):
    """What became of p pairs of images.

    Attributes:
        pairs: The pairs.
        similarities: Of each model those of the pairs, float [p], by name.
        threshold: The candidate's own.
        curve: Of its similarities.
    """

    pairs: pairs.Pairs
    similarities: dict[str, np.ndarray]
    threshold: Threshold
    curve: Curve

    def counts(self) -> dict[str, int]:
        """How many there are, by kind."""
        same = int(self.pairs.same.sum())
        return {"same": same, "different": len(self.pairs.same) - same}

    def of_class(self, labels: np.ndarray, label: str) -> dict[str, Measure]:
        """Accuracy and AUC of the pairs with an image of a class; none where there are none.

        Args:
            labels: str [n], the images' classes.
            label: The class.
        """
        chosen = (labels[self.pairs.left] == label) | (labels[self.pairs.right] == label)
        if not chosen.any():
            return {}
        some = pairs.Pairs(*(column[chosen] for column in self.pairs))
        scores = self.similarities[CANDIDATE][chosen]
        [measures], _ = _measured(some, {CANDIDATE: scores}, [self.threshold.value])
        return {name: measures[name] for name in ("accuracy", "auc") if is_defined(measures[name])}


def judge_pairs(
    images: HeldOutImages, views: Mapping[str, View], pairing: PairSettings, findings: Findings
) -> JudgedPairs | None:
    """Measure pairs of images.

    Args:
        images: The images.
        views: What the models make of them.
        pairing: How they are paired.
        findings: Where the measures go.

    Returns:
        None where there are none, or the candidate compares none.
    """
    if views[CANDIDATE].similarity is None:
        findings.leave_out(METRICS, "the model compares no pairs")
        return None
    try:
        drawn = pairs.draw_pairs(images.labels, *pairing)
    except DataError as e:
        findings.leave_out(METRICS, str(e))
        return None
    similarities = {
        name: np.asarray(view.similarity(view.embeddings[drawn.left], view.embeddings[drawn.right]))
        for name, view in views.items()
        if view.similarity
    }
    measures, covariance = _measured(
        drawn, similarities, [views[name].same for name in similarities]
    )
    by_model = dict(zip(similarities, measures, strict=True))
    findings.take_all(dict.fromkeys(by_model, METRICS), by_model, covariance)
    own = by_model[CANDIDATE]
    return JudgedPairs(
        drawn,
        similarities,
        threshold(views[CANDIDATE].same, own, "accuracy"),
        curve(similarities[CANDIDATE], drawn.same, 0.0, 1.0),
    )


def _measured(
    some: pairs.Pairs, similarities: Mapping[str, np.ndarray], thresholds: Sequence[float]
) -> tuple[list[dict[str, Measure]], np.ndarray]:
    found = pairs.measure(
        some,
        [Ranked(scores, some.same) for scores in similarities.values()],
        [
            pairs.called_same(scores, at)
            for scores, at in zip(similarities.values(), thresholds, strict=True)
        ],
    )
    images = len(np.unique(np.append(some.left, some.right)))
    measures = with_intervals(
        similarities, pairs.METRICS, found.values, found.covariance, images,
        least=images / 2, most=len(some.same),
    )  # fmt: skip
    return list(measures.values()), found.covariance
