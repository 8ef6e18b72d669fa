"""What a traffic store holds: answers of a model, images, and people's decisions about them."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np


class Kept(str, Enum):
    """Why an image is kept."""

    UNKNOWN = "unknown"
    """The model took it for none of its classes."""
    LOW_MARGIN = "low margin"
    """The two best classes were close to each other."""
    DISAGREEMENT = "disagreement"
    """Two versions of the model gave it different classes."""
    RANDOM = "random"
    """Drawn at random, so that accuracy can be estimated without bias."""
    SUSPECT = "suspect"
    """Its label in the data set may be wrong, or it is hard, by the last judgement."""
    ADDED = "added"
    """Brought by a person."""


class Decision(str, Enum):
    """What a person says of an image."""

    LABEL = "label"
    """It is of the class that is named."""
    NONE = "none"
    """It is of none of the classes."""
    SKIP = "skip"
    """Cannot be told."""


class Answer(NamedTuple):
    """A model's answer about one image.

    Attributes:
        time: Unix time, s.
        model: The model's name.
        version: Its version.
        label: The best class; empty if the image is not valid.
        known: Whether the image is of any class, by the threshold.
        valid: Whether the model could use the image.
        reason: Why it could not; empty if it could.
        score: The best class's score in [-1, 1]; NaN if not valid.
        margin: The best class's score less the second's; NaN if not valid or there is one class.
        probability: The best class's calibrated probability; NaN where the model gives none.
        embedding: float32 [d]; None if it was not asked for.
        digest: SHA-256 of the image's file, hexadecimal; empty if it was not sent as a file.
        other_version: The version that answered beside it; None if none did.
        other_label: What that one said.
        request: Identifies the call, so that what is recorded twice counts once.
    """

    time: float
    model: str
    version: int
    label: str
    known: bool
    valid: bool = True
    reason: str = ""
    score: float = float("nan")
    margin: float = float("nan")
    probability: float = float("nan")
    embedding: np.ndarray | None = None
    digest: str = ""
    other_version: int | None = None
    other_label: str = ""
    request: str = ""


class StoredImage(NamedTuple):
    """An image that is kept.

    Attributes:
        digest: SHA-256 of its file, hexadecimal.
        time: When it was first kept, Unix time, s.
        kept: Why.
        size: Of its file, bytes.
        source: Its file in the data set, for suspects and what a person brought; otherwise empty.
        given_label: Its class in the data set; empty if it has none.
    """

    digest: str
    time: float
    kept: Kept
    size: int
    source: str = ""
    given_label: str = ""


class Review(NamedTuple):
    """A person's decision about an image.

    Attributes:
        digest: The image.
        time: Unix time, s.
        decision: What was said.
        label: The class, with `Decision.LABEL`; otherwise empty.
        reviewer: Who said it; may be empty.
        group: The group (specimen, camera, shift) that the image belongs to; may be empty.
        span: The span that it was written to for training; None if it was not yet.
    """

    digest: str
    time: float
    decision: Decision
    label: str = ""
    reviewer: str = ""
    group: str = ""
    span: int | None = None
