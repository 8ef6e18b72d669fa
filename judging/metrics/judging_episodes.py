"""Judges a model by few-shot episodes among the test images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from judging.findings import Findings, with_intervals
from judging.metrics import episodes
from judging.settings import JudgeSettings
from judging.views import View

METRICS = ("episode_accuracy",)


def judge_episodes(
    labels: np.ndarray, views: Mapping[str, View], settings: JudgeSettings, findings: Findings
) -> None:
    """Measure the accuracy in episodes.

    Args:
        labels: str [n], the images' classes.
        views: What the models make of them.
        settings: Say which episodes.
        findings: Where the measures go.
    """
    chosen = settings.episodes
    drawn = episodes.draw_episodes(
        labels, chosen.ways, chosen.shots, chosen.queries, chosen.count, settings.seed
    )
    if drawn is None:
        findings.leave_out(
            METRICS,
            f"fewer than two classes have {chosen.shots + 1} test images, which "
            f"{chosen.shots}-shot episodes need",
        )
        return
    found = episodes.accuracy(
        [episodes.hits(view.embeddings, drawn) for view in views.values()], drawn, labels
    )
    taken = len(np.unique(np.append(drawn.query, drawn.support))) - int((drawn.query < 0).any())
    measures = with_intervals(
        views, METRICS, found.values[:, None], found.covariance, taken, least=taken / 2
    )
    findings.take_all(dict.fromkeys(views, METRICS), measures, found.covariance)
