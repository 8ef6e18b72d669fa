"""What a model's scores of classes are made of, which its files say."""

from __future__ import annotations

from typing import Literal

ScoredBy = Literal["cosine", "margin"]
"""What the score of a class is made of; see `judging.classifier.class_scores`."""


def read(stored: str | None) -> ScoredBy:
    """Return what a file says; None: it is older than the choice, and was scored by cosine."""
    return "margin" if stored == "margin" else "cosine"
