"""The `thresholds` and `judge` sections of the configuration."""

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
    """A number, or `{at_least: 0.9, bound: lower}`."""

    at_least: Share
    bound: Literal["value", "lower"] = Field(
        "value", description="`lower`: the 95 % interval's lower end must reach it."
    )


class AtMost(_Bounded):
    """A number, or `{at_most: 0.1, bound: upper}`."""

    at_most: Share
    bound: Literal["value", "upper"] = Field(
        "value", description="`upper`: the 95 % interval's upper end must stay below it."
    )


class ChangeAtLeast(AtLeast):
    """A number such as -0.02, or `{at_least: -0.02, bound: lower}`."""

    at_least: float = Field(ge=-1, le=1)


class ChangeAtMost(AtMost):
    """A number such as 0.02, or `{at_most: 0.02, bound: upper}`."""

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
    """What a model must reach on the test images to be blessed; `null` disables a threshold.

    A number is compared with the value; `{at_least: 0.9, bound: lower}` with the lower end of its
    95 % interval, so that no model passes by luck on few images. The defaults can be reached with
    four test images a class and are missed with three.
    """

    auc: AtLeast | None = Field(
        AtLeast(at_least=0.9), description="Area under the ROC curve of the pairs."
    )
    accuracy: AtLeast | None = Field(
        None, description="Share of pairs classified correctly by the model's own threshold."
    )
    precision: AtLeast | None = Field(
        None, description="Of the pairs that the model calls the same, the share that are."
    )
    recall: AtLeast | None = Field(
        None, description="Of the pairs that are the same, the share that the model calls so."
    )
    equal_error_rate: AtMost | None = Field(
        None, description="Error rate of the pairs where false accepts and rejects are equal."
    )
    class_accuracy: AtLeast | None = Field(
        AtLeast(at_least=0.6, bound="lower"),
        description="Share of images that `classify` gives their class.",
    )
    worst_class_recall: AtLeast | None = Field(
        AtLeast(at_least=0.3, bound="lower"),
        description="The same for the worst class. 4 of 4, 6 of 8 or 11 of 20 images reach 0.3 by "
        "the lower bound.",
    )
    episode_accuracy: AtLeast | None = Field(
        None, description="Accuracy in N-way K-shot episodes (`judge.episodes`)."
    )
    open_set_auc: AtLeast | None = Field(
        None, description="Area under the ROC curve of scores, known against unknown images."
    )
    open_set_accuracy: AtLeast | None = Field(
        None, description="Balanced accuracy of the model's own threshold on these scores."
    )
    change: Change = Change()
    beats_pretrained_encoder: Beats | None = Field(
        None,
        description="`true`: the class accuracy must be above that of the encoder before training.",
    )
    no_worse_than_reference_methods: bool = Field(
        True,
        description="A model fails whose class accuracy is below that of raw pixels or of the "
        "encoder before training by more than chance explains (`judge.reference_methods`).",
    )
    better_than_chance: bool = Field(
        True,
        description="So many images must be classified correctly as shuffled labels are in 2.5 % "
        "of cases at most (a permutation test).",
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
"""Metrics that can have a threshold."""


class Episodes(Section):
    """N-way K-shot episodes among the test images."""

    ways: int = Field(5, ge=2, description="Classes; fewer if there are fewer.")
    shots: Positive = Field(1, description="Labelled images per class.")
    queries: Positive = Field(5, description="Images to classify per class, at most.")
    count: int = Field(600, ge=10, description="Number of episodes.")


class Costs(Section):
    """What the model's two errors cost, in any unit: they decide which threshold is best."""

    missed: float = Field(
        gt=0,
        description="Of a false accept: two classes called the same, or an unknown image called "
        "known.",
    )
    false_alarm: float = Field(
        gt=0,
        description="Of a false reject: two images of one class called different, or a known image "
        "called unknown.",
    )
    prevalence: Share = Field(
        0.5,
        gt=0,
        lt=1,
        description="Share of pairs of two classes, or of unknown images, among those in use.",
    )


class JudgeSettings(Section):
    """How the model is judged on the test images."""

    episodes: Episodes = Episodes()
    unknown: str | None = Field(
        None,
        description="Folder of images of none of the classes, which the model should not know. "
        "`null`: each class is left out of the support set in turn.",
    )
    reference_methods: bool = Field(
        True,
        description="Compare with raw pixels and with the encoder before training, on the same "
        "images; takes one more pass of the encoder.",
    )
    costs: Costs | None = Field(
        None,
        description="Costs of the model's errors, such as {missed: 10, false_alarm: 1}: the report "
        "names the threshold with the lowest expected cost.",
    )
    listed: Positive = Field(
        20, description="At most this many errors, suspects and hard pairs are listed."
    )
