"""A judgement, as the lineage of a version keeps it."""

from __future__ import annotations

from judging.judgement import Judgement
from storage.lineage import Figure, Verdict, now

JUDGEMENT = "judgement"
"""Property of the Judge's blessing: where the judgement is."""


def verdict_of(judgement: Judgement, on: str) -> Verdict:
    """Return the verdict and the metrics of a judgement.

    Args:
        judgement: The judgement.
        on: Folder of the images that it rests on.
    """
    figures = {name: Figure(**one.model_dump()) for name, one in judgement.metrics.items()}
    return Verdict(
        outcome=judgement.verdict.outcome,
        reasons=judgement.verdict.reasons,
        figures=figures,
        on=on,
        time=now(),
    )
