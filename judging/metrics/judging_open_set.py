"""Judges whether a model tells images of classes that it knows from others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from judging.findings import Findings, curve, threshold, with_intervals
from judging.judgement import Curve, Threshold
from judging.metrics import open_set
from judging.views import CANDIDATE, View

METRICS = ("open_set_auc", "open_set_accuracy")


class JudgedOpenSet(NamedTuple):
    """The candidate's own threshold, and the curve of its scores."""

    threshold: Threshold
    curve: Curve


def judge_open_set(
    labels: np.ndarray, views: Mapping[str, View], findings: Findings
) -> JudgedOpenSet | None:
    """Measure how known and unknown images are told apart.

    Args:
        labels: str [n], the images' classes.
        views: What the models make of them.
        findings: Where the measures go.

    Returns:
        None where there are too few classes.
    """
    found = {}
    for name, view in views.items():
        scores = open_set.open_set_scores(view.support, view.embeddings, labels, view.unknown)
        if scores:
            found[name] = scores
    if CANDIDATE not in found:
        findings.leave_out(
            METRICS, "with fewer than three classes, none can be left out to be unknown"
        )
        return None
    measured = open_set.measure(list(found.values()), [views[name].known for name in found])
    measures = with_intervals(
        found, open_set.METRICS, measured.values, measured.covariance, measured.images,
        least=measured.least,
    )  # fmt: skip
    # An encoder alone has no threshold.
    taken = {name: METRICS[:1] if math.isnan(views[name].known) else METRICS for name in found}
    findings.take_all({**taken, CANDIDATE: METRICS}, measures, measured.covariance)
    scores = found[CANDIDATE]
    every = np.concatenate([scores.known, scores.unknown])
    known = np.arange(len(every)) < len(scores.known)
    return JudgedOpenSet(
        threshold(views[CANDIDATE].known, measures[CANDIDATE], "open_set_accuracy"),
        curve(every, known, float(every.min()), float(every.max())),
    )
