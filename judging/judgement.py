"""The judgement of a model, `judgement.json`.

The file's size depends on the number of classes and listed errors, not on that of images, whose
outcomes are in other files (`judging.outcomes`).
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from judging.number_text import number
from judging.settings import JudgeSettings, Thresholds

Outcome = Literal["blessed", "not_blessed", "undecided"]

BY_TFMA = " by TFMA"
"""Ends the names of checks that the Evaluator made."""


class Immutable(BaseModel):
    """Base class of the parts of a judgement; a number may be NaN or infinite."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings", protected_namespaces=())


class Measure(Immutable):
    """A share, or a difference of two, with its 95 % interval.

    Attributes:
        value: As measured.
        low: The interval's lower end.
        high: Its upper end.
        images: The number of images that it was measured on.
        classes: If the interval is for the images of a new class, the number of classes that were
            left out in turn (`statistics.new_class`); None: it is for further images.
    """

    value: float
    low: float
    high: float
    images: int
    classes: int | None = None


class Check(Immutable):
    """One threshold and its outcome.

    Attributes:
        metric: In words ("class_accuracy against the last blessed model").
        measure: What was measured; None if it could not be.
        required: In words ("at least 0.9000, lower bound").
        outcome: `skipped` if there is nothing to compare with.
        needed: About how many test images would decide, if there are too few.
        of_each_class: Whether `needed` counts those of each class.
        note: Details.
    """

    metric: str
    measure: Measure | None = None
    required: str
    outcome: Literal["passed", "failed", "undecided", "skipped"]
    needed: int | None = None
    of_each_class: bool = False
    note: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def sentence(self) -> str:
        """What was measured and required, without a full stop: the same wherever it is shown."""
        if self.measure is None:
            return f"{self.metric}: {self.note}" if self.note else self.metric
        m = self.measure
        interval = f"{number(m.low)} to {number(m.high)}"
        told = f"{self.metric} {number(m.value)} ({interval}), required {self.required}"
        return f"{told}: {self.note}" if self.note else told


class Verdict(Immutable):
    """Whether the model may be pushed, and why.

    Attributes:
        outcome: `undecided` if there are too few test images; such a model is not pushed either.
        checks: One for each threshold.
        reasons: Every failed or undecided check, a sentence each; if blessed, that every threshold
            is reached, and what people should know nevertheless.
    """

    outcome: Outcome
    checks: tuple[Check, ...]
    reasons: tuple[str, ...]


class ClassResult(Immutable):
    """One class.

    Attributes:
        label: Its name.
        images: Number of its test images.
        support: Number of its support images.
        predicted: Number of test images that were given this class, correctly or not.
        recall: Share of its images that were given this class.
        precision: Share of the images given this class that are of it; None if there are none.
        pair_accuracy: Of the pairs with an image of it; None if there are none.
        pair_auc: Of the same pairs; None if they are all of one kind.
    """

    label: str
    images: int
    support: int
    predicted: int
    recall: Measure
    precision: Measure | None
    pair_accuracy: Measure | None = None
    pair_auc: Measure | None = None


class Confused(Immutable):
    """A cell of the confusion matrix that is not empty."""

    truth: str
    predicted: str
    images: int


class Curve(Immutable):
    """How a score separates two kinds of cases.

    Attributes:
        false_accepts: False positive rates of the ROC curve's points.
        true_accepts: Their true positive rates.
        thresholds: Their thresholds; the first is infinite.
        edges: Edges of the histogram's bins, one more than there are bins.
        positives: Cases in each bin: same pairs, or images of known classes.
        negatives: The others.
    """

    false_accepts: tuple[float, ...]
    true_accepts: tuple[float, ...]
    thresholds: tuple[float, ...]
    edges: tuple[float, ...]
    positives: tuple[int, ...]
    negatives: tuple[int, ...]


class Threshold(Immutable):
    """One of the model's own thresholds, calibrated on validation data, on the test data.

    Attributes:
        value: The model answers yes at and above it.
        false_accepts: Share of the negatives that it accepts.
        false_rejects: Share of the positives that it rejects.
        accuracy: Share of correct answers.
    """

    value: float
    false_accepts: Measure
    false_rejects: Measure
    accuracy: Measure


class CostOfThreshold(Immutable):
    """A threshold and its expected cost of a case (`judge.costs`)."""

    threshold: Threshold
    cost: Measure


class DecisionCosts(Immutable):
    """What one of the model's decisions costs.

    Attributes:
        own: At the model's own threshold.
        cheapest: At the threshold with the lowest cost on the test images, which chose it: with
            other images it costs a little more.
    """

    own: CostOfThreshold
    cheapest: CostOfThreshold


class Compared(Immutable):
    """Another model, or a reference method, judged on the same images.

    Attributes:
        model: Its path, or a description.
        metrics: Its own, by name.
        differences: The candidate's metric minus its, by name.
        left_out: Number of test images left out, since it was trained on them.
        not_accepted: Number of other test images left out, since it does not accept them.
        unknown_left_out: Number of unknown images left out for either reason.
        own: If some were left out, the candidate's metrics on the others, by name.
        missing: If some were left out, why a metric could not be measured on the others, by name.
    """

    model: str
    metrics: dict[str, Measure]
    differences: dict[str, Measure]
    left_out: int = 0
    not_accepted: int = 0
    unknown_left_out: int = 0
    own: dict[str, Measure] = {}
    missing: dict[str, str] = {}

    def on(self, images: int) -> int:
        """Return on how many of all test images it was compared."""
        return images - self.left_out - self.not_accepted

    def limit(self, name: str, images: int) -> str:
        """Return in words that it was compared on some images only; empty if on all.

        Args:
            name: Its name.
            images: Number of all test images.
        """
        parts, why = [], []
        if self.left_out or self.not_accepted:
            parts.append(f"on {self.on(images)} of {images} test images")
        if self.unknown_left_out:
            parts.append(f"without {self.unknown_left_out} unknown images")
        if not parts:
            return ""
        if self.left_out:
            which = f"{self.left_out} others" if self.not_accepted else "the others"
            why.append(f"was trained on {which}")
        if self.not_accepted:
            which = f"{self.not_accepted} others" if self.left_out else "the others"
            why.append(f"does not accept {which}")
        reasons = " and ".join(why) or "was trained on these or does not accept them"
        return f"compared {' and '.join(parts)}: the {name} {reasons}"


class Picture(Immutable):
    """An image, to be shown.

    Attributes:
        id: Of its record in ImageExampleGen's examples; empty for a support image.
        source: Its file, below `Judgement.root`.
        label: Its class.
    """

    id: str
    source: str
    label: str


class Mistake(Immutable):
    """A test image that was given a wrong class; the most confident error first.

    Attributes:
        image: The image.
        predicted: The class that it was given.
        score: Of that class.
        own_score: Of its own class.
        nearest: The nearest labelled image of the class that it was given.
    """

    image: Picture
    predicted: str
    score: float
    own_score: float
    nearest: Picture


class Suspect(Immutable):
    """A test image that may be mislabelled: its nearest labelled images are of another class.

    Attributes:
        image: The image.
        suggested: The class of most of them.
        agreeing: How many are of that class.
        neighbours: The nearest labelled images, nearest first.
    """

    image: Picture
    suggested: str
    agreeing: int
    neighbours: tuple[Picture, ...]


class HardPair(Immutable):
    """A pair that is classified incorrectly, or nearly so; the hardest first."""

    left: Picture
    right: Picture
    same: bool
    similarity: float


class Judgement(Immutable):
    """Everything that was measured, and the verdict.

    Attributes:
        verdict: Whether it may be pushed.
        asked: Required thresholds; None if none were set.
        settings: How it was judged.
        model: The candidate's URI.
        examples: URI of ImageExampleGen's examples, which hold the images themselves.
        root: The data root, which sources are below.
        images: Number of test images that it was judged on.
        groups: Number of groups of these, such as patients; copies of an image are one group.
        folds: Number of folds, if each image was judged by a model that had learned from the other
            folds; the model itself has learned from all images.
        invalid: Excluded files, with the reason: test images that the model does not accept, was
            trained on, or has no support images of the same class of; and files of `judge.unknown`
            that cannot be used.
        classified_by: How images are classified: by the model's own `support set`, or, if the test
            images' classes were held out, by the `other test images`.
        unknown_by: What counts as unknown: images of `each class left out` of the support set in
            turn, or of a `folder`.
        chance: The class accuracy of the same answers if they were independent of the classes.
        chance_p_value: See `statistics.permutation`; NaN if not known.
        metrics: By name, those of `settings.METRICS` that could be measured.
        missing: By name, why the others could not.
        classes: Each class, by name.
        confusion: The confusion matrix, without its empty cells.
        thresholds: The model's own, `same` and `known`; only those that could be measured.
        curves: Of the scores behind these, by the same names.
        costs: Of these, by the same names, if `judge.costs` is set.
        pairs: Number of pairs by kind: `same`, `different`.
        compared: By name: `last blessed model`, `pretrained encoder`, `raw pixels`.
        mistakes: The most confident errors.
        suspects: Images that may be mislabelled.
        hard_pairs: The hardest pairs.
    """

    FILE: ClassVar[str] = "judgement.json"
    OUTCOMES: ClassVar[str] = "outcomes.jsonl"
    PAIRS: ClassVar[str] = "pairs.jsonl"

    verdict: Verdict
    asked: Thresholds | None
    settings: JudgeSettings
    model: str = ""
    examples: str = ""
    root: str = ""
    images: int
    groups: int = 0
    folds: int | None = None
    invalid: dict[str, str] = {}
    classified_by: Literal["support set", "other test images"]
    unknown_by: Literal["each class left out", "folder"] = "each class left out"
    chance: float
    chance_p_value: float = math.nan
    metrics: dict[str, Measure]
    missing: dict[str, str]
    classes: tuple[ClassResult, ...]
    confusion: tuple[Confused, ...]
    thresholds: dict[str, Threshold]
    curves: dict[str, Curve]
    costs: dict[str, DecisionCosts] = {}
    pairs: dict[str, int]
    compared: dict[str, Compared]
    mistakes: tuple[Mistake, ...]
    suspects: tuple[Suspect, ...]
    hard_pairs: tuple[HardPair, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """`limits`, `on_new_classes`, and sentences on what thresholds cost."""
        new = (self.on_new_classes,) if self.on_new_classes else ()
        costs = (_on_costs(name, costs) for name, costs in self.costs.items())
        return (*self.limits, *new, *costs)

    @property
    def on_new_classes(self) -> str:
        """Sentence, without full stop, on the intervals of known or unknown; empty for a folder."""
        known = self.thresholds.get("known")
        if known is None or known.false_accepts.classes is None:
            return ""
        told = (
            "the intervals of known or unknown are for the images of one new class, from "
            f"{known.false_accepts.classes} classes of which each was left out in turn"
        )
        if self.folds or self.classified_by == "other test images":
            return told
        return (
            f"{told}, of the support set alone: the model was trained on them, and may accept more "
            "images of a class that it was not trained on"
        )

    @property
    def limits(self) -> tuple[str, ...]:
        """Sentences, without full stop, on what the metrics and comparisons rest on."""
        grouped = f"the {self.images} test images are of {self.groups} groups of images"
        told = [grouped if self.groups and self.groups != self.images else ""]
        told += [other.limit(name, self.images) for name, other in self.compared.items()]
        return tuple(limit for limit in told if limit)


def _on_costs(name: str, costs: DecisionCosts) -> str:
    own, cheapest = (
        f"{one.cost.value:.3g} ({one.cost.low:.3g} to {one.cost.high:.3g})"
        for one in (costs.own, costs.cheapest)
    )
    return (
        f"the threshold for '{name}', {number(costs.own.threshold.value)}, costs {own} a case; the "
        f"cheapest on these images is {number(costs.cheapest.threshold.value)} and costs "
        f"{cheapest}; siamese threshold sets it"
    )
