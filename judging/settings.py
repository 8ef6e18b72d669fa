"""What can be asked of a judgement: the `thresholds` and `judge` sections of the configuration.

Imports neither TFX nor TensorFlow, so that a configuration is checked in an instant.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from base.settings import Positive, Section, Share


class _Bounded(Section):
    @model_validator(mode="before")
    @classmethod
    def _a_bare_number_is_the_limit(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {next(iter(cls.model_fields)): value}
        return value


class AtLeast(_Bounded):
    """A number alone, or `{at_least: 0.9, bound: lower}`."""

    at_least: Share
    bound: Literal["value", "lower"] = Field(
        "value", description="`lower`: the 95 % interval's lower end must reach it."
    )


class AtMost(_Bounded):
    """A number alone, or `{at_most: 0.1, bound: upper}`."""

    at_most: Share
    bound: Literal["value", "upper"] = Field(
        "value", description="`upper`: the 95 % interval's upper end must stay below it."
    )


class ChangeAtLeast(AtLeast):
    """A number alone, such as -0.02, or `{at_least: -0.02, bound: lower}`."""

    at_least: float = Field(ge=-1, le=1)


class ChangeAtMost(AtMost):
    """A number alone, such as 0.02, or `{at_most: 0.02, bound: upper}`."""

    at_most: float = Field(ge=-1, le=1)


class Change(Section):
    """Limits of each metric's difference to the last blessed model, on the same images."""

    auc: ChangeAtLeast | None = ChangeAtLeast(at_least=-0.02)
    accuracy: ChangeAtLeast | None = None
    precision: ChangeAtLeast | None = None
    recall: ChangeAtLeast | None = None
    equal_error_rate: ChangeAtMost | None = None
    class_accuracy: ChangeAtLeast | None = None
    worst_class_recall: ChangeAtLeast | None = None
    episode_accuracy: ChangeAtLeast | None = None
    open_set_auc: ChangeAtLeast | None = None
    open_set_accuracy: ChangeAtLeast | None = None


class Beats(Section):
    """`true`, or `{bound: lower}`."""

    bound: Literal["value", "lower"] = Field(
        "value", description="`lower`: the difference's 95 % interval must lie above zero."
    )


class Thresholds(Section):
    """What a model must reach on the test images to be blessed. `null` leaves one out.

    A number is compared with the value; `{at_least: 0.9, bound: lower}` with the lower end of its
    95 % interval, so that few images do not pass by luck.
    """

    auc: AtLeast | None = Field(
        AtLeast(at_least=0.9), description="Of pairs: area under the ROC curve."
    )
    accuracy: AtLeast | None = Field(
        None, description="Of pairs: told rightly by the model's own threshold."
    )
    precision: AtLeast | None = Field(
        None, description="Of pairs that the model calls the same: those that are."
    )
    recall: AtLeast | None = Field(
        None, description="Of pairs that are the same: those that the model calls so."
    )
    equal_error_rate: AtMost | None = Field(
        None, description="Of pairs: where both kinds of error are equally frequent."
    )
    class_accuracy: AtLeast | None = Field(
        None, description="Of images: given their class by `classify`."
    )
    worst_class_recall: AtLeast | None = Field(
        None, description="The same within the class that does worst."
    )
    episode_accuracy: AtLeast | None = Field(
        None, description="Of queries in N-way K-shot episodes (`judge.episodes`)."
    )
    open_set_auc: AtLeast | None = Field(
        None, description="How well scores tell images of known classes from unknown ones."
    )
    open_set_accuracy: AtLeast | None = Field(
        None, description="Images told known or unknown rightly by the model's own threshold."
    )
    change: Change = Change()
    beats_pretrained_encoder: Beats | None = Field(
        None,
        description="`true`: the class accuracy must be above that of the encoder before training.",
    )
    better_than_chance: bool = Field(
        True,
        description="The class accuracy's lower bound must be above what such answers would get if "
        "they had nothing to do with the classes.",
    )

    @field_validator("beats_pretrained_encoder", mode="before")
    @classmethod
    def _yes_or_no(cls, value: Any) -> Any:
        return {True: {}, False: None}[value] if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _something_decides(self) -> Thresholds:
        if all(getattr(self, name) is None for name in METRICS):
            raise ValueError(
                f"at least one of {', '.join(METRICS)} is needed; `thresholds: null` measures "
                "only, and blesses nothing"
            )
        return self


METRICS = tuple(Change.model_fields)
"""Those that can be asked for."""


class Episodes(Section):
    """N-way K-shot episodes among the test images."""

    ways: int = Field(5, ge=2, description="Classes; fewer where there are fewer.")
    shots: Positive = Field(1, description="Labelled images of each.")
    queries: Positive = Field(5, description="Images of each to tell, at most.")
    count: int = Field(600, ge=10, description="Episodes.")


class JudgeSettings(Section):
    """How the model is judged on the test images, beside what it must reach."""

    episodes: Episodes = Episodes()
    unknown: str | None = Field(
        None,
        description="Folder of images of no class at all, which the model should not know. Left "
        "out: each class is once taken out of the support set.",
    )
    reference_methods: bool = Field(
        True,
        description="Judge raw pixels and the encoder before training on the same images; costs "
        "one pass more through the encoder.",
    )
    listed: Positive = Field(
        20, description="Mistakes, suspects and hard pairs that are named, of each at most."
    )
