"""The tests for drift, which together raise a false alarm in a given share of periods at most."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from judging.number_text import percent
from judging.reference import Reference
from monitoring.findings import Test
from monitoring.sample import Sample
from monitoring.settings import MonitorSettings
from monitoring.statistics import LowScores, Mix, Shift, mix, more_low_scores, shift

_WEIGHTS = {"unknown": 8, "embeddings": 2, "class mix": 2}
"""Shares of the false alarms (weighted Bonferroni).

A camera shifts all embeddings, which any level detects; ten images of a new class among 200 are at
the limit of what can be told from chance.
"""


def drift_tests(
    reference: Reference, traffic: Sample, settings: MonitorSettings, seed: int = 0
) -> list[Test]:
    """Return the tests that can be made; neither sample may be empty."""
    found = list(_tests(reference, traffic, settings, seed))
    total = sum(_WEIGHTS[one.name] for one in found)
    return [
        one.model_copy(update={"level": settings.false_alarms * _WEIGHTS[one.name] / total})
        for one in found
    ]


def least_unlike(reference: int, traffic: int, level: float) -> int:
    """Return how many images unlike all of the reference it takes at least for an alarm.

    That j images drawn from both at random are all of the traffic has about a probability of
    (m / (n + m))^j: fewer images prove nothing, whatever they look like.
    """
    return math.ceil(math.log(level) / math.log(traffic / (reference + traffic)))


def _tests(
    reference: Reference, traffic: Sample, settings: MonitorSettings, seed: int
) -> Iterator[Test]:
    yield _unknown(reference, traffic, settings.min_unknown, seed)
    if (moved := _embeddings(reference, traffic, settings.min_shift, seed)) is not None:
        yield moved
    if settings.class_mix:
        yield _class_mix(reference, traffic, seed)


def _unknown(reference: Reference, traffic: Sample, required: float, seed: int) -> Test:
    found = more_low_scores(
        reference.scores, reference.known, traffic.scores, traffic.known, seed=seed
    )
    ours, theirs = (
        percent(share, len(scores))
        for share, scores in (
            (found.traffic_share, traffic.scores),
            (found.reference_share, reference.scores),
        )
    )
    what = "are unknown" if found.at_threshold else f"score below {found.cut:.3f}"
    text = f"{ours} of the images {what}, and {theirs} of the reference"
    return _test(found, name="unknown", required=required, unit="share", text=text)


def _embeddings(reference: Reference, traffic: Sample, required: float, seed: int) -> Test | None:
    if reference.embeddings.shape[1] != traffic.embeddings.shape[1]:
        return None
    whole = np.isfinite(traffic.embeddings).all(axis=1)
    found = shift(
        reference.embeddings,
        reference.predicted,
        traffic.embeddings[whole],
        traffic.predicted[traffic.embedded][whole],
        seed=seed,
    )
    if found is None:
        return None
    text = f"images of all classes have moved by {found.effect:.2f} standard deviations"
    return _test(found, name="embeddings", required=required, unit="standard deviations", text=text)


def _class_mix(reference: Reference, traffic: Sample, seed: int) -> Test:
    found = mix(reference.predicted, traffic.predicted, seed=seed)
    text = (
        f"{found.effect:.0%} of the images would have to be of another class to be mixed as the "
        "reference"
    )
    return _test(found, name="class mix", required=_LEAST_MIX, unit="share", text=text)


def _test(found: LowScores | Shift | Mix, **told: Any) -> Test:
    return Test(p_value=found.p_value, effect=found.effect, level=1, **told)


_LEAST_MIX = 0.1
