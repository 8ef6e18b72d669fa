"""Which images of the traffic are kept, and for how long."""

from __future__ import annotations

from pydantic import Field

from base.settings import Positive, Section, Share


class Keeping(Section):
    """What of a deployed model's traffic is kept. Answers always are."""

    images: bool = Field(True, description="Keep images by the rules below; false: answers only.")
    unknown: bool = Field(True, description="Keep images that the model takes for no class.")
    low_margin: float = Field(
        0.05,
        ge=0,
        le=2,
        description="Keep images whose best two scores differ by less than this.",
    )
    disagreement: bool = Field(
        True, description="Keep images about which two versions of the model disagree."
    )
    random: Share = Field(
        0.01,
        description="Share of the images that is kept at random, so that the accuracy can be "
        "estimated without bias.",
    )
    per_hour: Positive = Field(
        100, description="Maximum images within an hour for each of these four reasons."
    )
    per_day: Positive = Field(
        500, description="Maximum images within a day for each of these four reasons."
    )
    max_megabytes: Positive = Field(
        1000,
        description="Maximum MB of recorded images without a review; the oldest are removed first.",
    )
    answer_days: Positive = Field(400, description="Days after which answers are removed.")
    embeddings: Share = Field(
        0.1,
        description="Share of the images whose embedding is asked for after their answer, to find "
        "drift; each is one more image for the server.",
    )
