"""What a model was found to be worth: `judgement.json`, and how each image and pair came out.

The file's size is bounded by the number of classes and mistakes, not by that of the images; what is
known of each image is a line of `outcomes.jsonl`, and of each pair a line of `pairs.jsonl`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from judging.settings import JudgeSettings, Thresholds

Outcome = Literal["blessed", "not_blessed", "undecided"]

BY_TFMA = " by TFMA"
"""Ends the names of checks that the Evaluator made."""


class Frozen(BaseModel):
    """Immutable; a number may be NaN or infinite."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings", protected_namespaces=())


class Measure(Frozen):
    """A share, or a difference of two, with its 95 % interval.

    Attributes:
        value: As measured.
        low: The interval's lower end.
        high: Its upper end.
        images: It was measured on.
    """

    value: float
    low: float
    high: float
    images: int


class Check(Frozen):
    """One threshold and what became of it.

    Attributes:
        metric: In words ("class_accuracy against the last blessed model").
        measure: What was measured; None where it could not be.
        wanted: In words ("at least 0.9000, lower bound").
        outcome: `skipped`: there is nothing to compare with.
        needed: About how many test images would decide, where they are too few.
        note: What else there is to say.
    """

    metric: str
    measure: Measure | None = None
    wanted: str
    outcome: Literal["passed", "failed", "undecided", "skipped"]
    needed: int | None = None
    note: str = ""


class Verdict(Frozen):
    """Whether the model may be pushed, and why.

    Attributes:
        outcome: `undecided` is not blessed either: there are too few images to tell.
        checks: Of all thresholds.
        reasons: Sentences; those against it, or one for it.
    """

    outcome: Outcome
    checks: tuple[Check, ...]
    reasons: tuple[str, ...]


class ClassResult(Frozen):
    """One class.

    Attributes:
        label: Its name.
        images: Test images of it.
        support: Support images of it.
        predicted: Test images that were given this class, rightly or not.
        recall: Share of its images that were given it.
        precision: Share of those given it that are of it; None where none was.
        pair_accuracy: Of the pairs with an image of it; None where there are none.
        pair_auc: Of the same pairs; None where they are all of one kind.
    """

    label: str
    images: int
    support: int
    predicted: int
    recall: Measure
    precision: Measure | None
    pair_accuracy: Measure | None = None
    pair_auc: Measure | None = None


class Confused(Frozen):
    """Images of a class that were given a class; where there were none, there is no such cell."""

    truth: str
    predicted: str
    images: int


class Curve(Frozen):
    """How a score tells two kinds apart.

    Attributes:
        false_accepts: Of the ROC curve's points, shares of the negatives at or above a threshold.
        true_accepts: The same of the positives.
        thresholds: The points' own; the first is infinite.
        edges: Of the histogram's bins, one more than there are bins.
        positives: Cases in each bin: same pairs, or images of known classes.
        negatives: The others.
    """

    false_accepts: tuple[float, ...]
    true_accepts: tuple[float, ...]
    thresholds: tuple[float, ...]
    edges: tuple[float, ...]
    positives: tuple[int, ...]
    negatives: tuple[int, ...]


class Threshold(Frozen):
    """One of the model's own thresholds, chosen on validation data, on the test data.

    Attributes:
        value: At and above which it says yes.
        false_accepts: Share of the negatives that it says yes to.
        false_rejects: Share of the positives that it says no to.
        accuracy: Share of all that it says the right thing to.
    """

    value: float
    false_accepts: Measure
    false_rejects: Measure
    accuracy: Measure


class Compared(Frozen):
    """Something else that was judged on the same images.

    Attributes:
        model: Where it is, or in words what it is.
        metrics: Its own, by name.
        differences: The candidate's less its, by name.
        left_out: Test images that it was not compared on, since it was trained with them.
        unknown_left_out: The same of images of no class.
        own: Where some were left out, the candidate's metrics on the others, by name.
        missing: The same: by name, why a metric could not be measured on these.
    """

    model: str
    metrics: dict[str, Measure]
    differences: dict[str, Measure]
    left_out: int = 0
    unknown_left_out: int = 0
    own: dict[str, Measure] = {}
    missing: dict[str, str] = {}

    def limit(self, name: str, images: int) -> str:
        """That it was compared on some images only, in words; empty where it was on all.

        Args:
            name: What it is called.
            images: Test images in all.
        """
        parts = []
        if self.left_out:
            parts.append(f"on {images - self.left_out} of {images} test images")
        if self.unknown_left_out:
            parts.append(f"without {self.unknown_left_out} images of no class")
        if not parts:
            return ""
        others = "the others" if self.left_out else "these"
        return f"compared {' and '.join(parts)}: the {name} was trained with {others}"


class Picture(Frozen):
    """An image, to be shown.

    Attributes:
        id: Of its record in ImageExampleGen's examples; empty for a support image.
        source: Its file, below `Judgement.root`.
        label: Its class.
    """

    id: str
    source: str
    label: str


class Mistake(Frozen):
    """A test image that was given a wrong class; the surest first.

    Attributes:
        image: The image.
        predicted: The class that it was given.
        score: Of that class.
        own_score: Of its own class.
        nearest: The labelled image nearest to it of the class that it was given.
    """

    image: Picture
    predicted: str
    score: float
    own_score: float
    nearest: Picture


class Suspect(Frozen):
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


class HardPair(Frozen):
    """A pair that is told wrongly, or nearly so; the hardest first."""

    left: Picture
    right: Picture
    same: bool
    similarity: float


class Judgement(Frozen):
    """All that was found.

    Attributes:
        verdict: Whether it may be pushed.
        asked: The thresholds that it was judged by; None: none were set.
        settings: How it was judged.
        model: The candidate's URI.
        examples: URI of ImageExampleGen's examples, which hold the images themselves.
        root: The data root, which sources are below.
        images: Test images that it was judged on.
        invalid: Files that it was not judged on, with the reason: test images that it took for no
            image, was trained with, or of classes that it has no support images of; and files of
            `judge.unknown` that cannot be used.
        classified_by: What the class accuracy goes by: `support set`, the model's own, or, where
            the test images' classes were held out, `other test images`.
        unknown_by: What counts as unknown: `each class left out` of the support set once, or
            `folder`.
        chance: The class accuracy of such answers if they had nothing to do with the classes.
        metrics: By name, those of `settings.METRICS` that could be measured.
        missing: By name, why the others could not.
        classes: Each class, by name.
        confusion: The confusion matrix, without its empty cells.
        thresholds: The model's own, `same` and `known`, as far as they could be measured.
        curves: Of the scores behind these, by the same names.
        pairs: How many there were, by kind: `same`, `different`.
        compared: By name: `last blessed model`, `pretrained encoder`, `raw pixels`.
        mistakes: The surest mistakes.
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
    invalid: dict[str, str] = {}
    classified_by: Literal["support set", "other test images"]
    unknown_by: Literal["each class left out", "folder"] = "each class left out"
    chance: float
    metrics: dict[str, Measure]
    missing: dict[str, str]
    classes: tuple[ClassResult, ...]
    confusion: tuple[Confused, ...]
    thresholds: dict[str, Threshold]
    curves: dict[str, Curve]
    pairs: dict[str, int]
    compared: dict[str, Compared]
    mistakes: tuple[Mistake, ...]
    suspects: tuple[Suspect, ...]
    hard_pairs: tuple[HardPair, ...]

    @property
    def limits(self) -> tuple[str, ...]:
        """Which comparisons rest on some of the images only: sentences without their full stop."""
        told = (other.limit(name, self.images) for name, other in self.compared.items())
        return tuple(limit for limit in told if limit)


class ImageOutcome(Frozen):
    """How one test image came out: a line of `outcomes.jsonl`, in the order of the ids.

    Attributes:
        id: Of the image's record.
        source: Its file.
        label: Its class.
        predicted: The class that it was given.
        score: Of that class.
        own_score: Of its own class.
        known: Whether the model takes it for an image of a class that it knows.
        nearest: Files of the nearest labelled images, nearest first.
        others: What the models compared with gave it, by name.
    """

    id: str
    source: str
    label: str
    predicted: str
    score: float
    own_score: float
    known: bool
    nearest: tuple[str, ...]
    others: dict[str, str]


class PairOutcome(Frozen):
    """How one test pair came out: a line of `pairs.jsonl`.

    Attributes:
        left: Id of an image.
        right: The other's.
        same: Whether they are of one class.
        similarity: The model's.
        others: That of the models compared with, by name.
    """

    left: str
    right: str
    same: bool
    similarity: float
    others: dict[str, float]
