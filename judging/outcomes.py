"""The outcomes of single images, `outcomes.jsonl`, and of pairs, `pairs.jsonl`, a line each."""

from __future__ import annotations

from judging.judgement import Immutable


class ImageOutcome(Immutable):
    """The outcome of one test image: a line of `outcomes.jsonl`, in the order of the ids.

    Attributes:
        id: Of the image's record.
        source: Its file.
        label: Its class.
        group: The number of its group.
        predicted: The class that it was given.
        score: Of that class.
        own_score: Of its own class.
        known: Whether the model predicts a known class.
        nearest: Files of the nearest labelled images, nearest first.
        others: The classes that other models gave it, by name.
    """

    id: str
    source: str
    label: str
    group: int | None = None
    predicted: str
    score: float
    own_score: float
    known: bool
    nearest: tuple[str, ...]
    others: dict[str, str]


class PairOutcome(Immutable):
    """The outcome of one test pair: a line of `pairs.jsonl`.

    Attributes:
        left: Id of an image.
        right: The other's.
        same: Whether they are of one class.
        similarity: The model's.
        others: Other models' similarities, by name.
    """

    left: str
    right: str
    same: bool
    similarity: float
    others: dict[str, float]
