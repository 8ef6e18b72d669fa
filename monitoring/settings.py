"""The section `monitor` of a configuration."""

from __future__ import annotations

from pydantic import Field

from base.settings import Positive, Section, Share


class MonitorSettings(Section):
    """When the traffic of a period counts as drifted from what the model was judged on."""

    false_alarms: Share = Field(
        0.05,
        gt=0,
        le=0.5,
        description="Greatest share of periods without drift that are called drifted.",
    )
    min_images: Positive = Field(
        50, description="Answers below which a period without an alarm has too few."
    )
    min_unknown: Share = Field(
        0.02,
        description="Least increase of the share of unknown or unusual images that counts as "
        "drift, however significant a smaller one is.",
    )
    min_shift: float = Field(
        0.4,
        ge=0,
        description="Least shift of the embeddings that counts as drift, in standard deviations "
        "of the images of a class along its own direction.",
    )
    class_mix: bool = Field(
        False,
        description="Whether a change of the class mix counts as drift. Off, since people label as "
        "many images of rare classes as of frequent ones.",
    )
