"""The component's settings, as they travel through TFX to its executor."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """See the arguments of `ImageExampleGen`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: str
    layout: str
    manifest: str | None
    classes: tuple[str, ...] | None
    max_unusable: float
    max_pixels: int
    split_by: str
    train: float
    validation: float
    test: float
    near_duplicate_bits: int
    seed: int
    code: str
