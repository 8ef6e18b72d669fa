"""What monitoring finds in the traffic of a period."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from judging.judgement import Immutable, Measure

Outcome = Literal["fine", "drifted", "too_few"]


class Test(Immutable):
    """A test of whether the traffic differs from the reference.

    Attributes:
        name: What is compared: `unknown`, `embeddings` or `class mix`.
        p_value: Of the difference under the hypothesis that nothing has changed.
        level: Below it the difference counts, if it is large enough.
        effect: How large the difference is; see `unit`.
        required: The least effect that counts.
        unit: What the effect is: `share` of images, or `standard deviations`.
        text: The result in words, without a full stop.
    """

    __test__ = False  # pytest: no test case

    name: Literal["unknown", "embeddings", "class mix"]
    p_value: float
    level: float
    effect: float
    required: float
    unit: Literal["share", "standard deviations"]
    text: str

    @property
    def drifted(self) -> bool:
        """Whether the difference is significant and large enough."""
        return self.p_value <= self.level and self.effect >= self.required


class ClassShare(Immutable):
    """How often the model gives a class.

    Attributes:
        label: The class.
        traffic: Share of the traffic's images.
        reference: Share of the reference's; None if it has no image of the class.
    """

    label: str
    traffic: float
    reference: float | None


class Scores(Immutable):
    """Histograms of the best class's score.

    Attributes:
        edges: Edges of the bins, one more than there are bins.
        reference: Images of the reference in each bin.
        traffic: Images of the traffic in each bin.
    """

    edges: tuple[float, ...]
    reference: tuple[int, ...]
    traffic: tuple[int, ...]


class ReviewedAccuracy(Immutable):
    """What people's decisions say; see `monitoring.accuracy.Reviewed`."""

    accuracy: Measure | None
    random: int
    others: int
    others_correct: int
    skipped: int


class Period(Immutable):
    """Whose answers are examined.

    Attributes:
        model: The model's name; empty if there is no answer.
        version: Its version; None if there is no answer.
        since: Start of the period.
        until: Its end, which is not in it.
        answers: The version's answers.
        other_versions: The number of answers of other versions and models, by `model/version`.
        judged_version: The version that the reference is of: the same, or the one that it was made
            of; None if the reference was named.
    """

    model: str = ""
    version: int | None = None
    since: datetime
    until: datetime
    answers: int = 0
    other_versions: dict[str, int] = {}
    judged_version: int | None = None


class MonitorFindings(Immutable):
    """The result of `siamese monitor`.

    Attributes:
        outcome: Whether the traffic has drifted from the reference.
        reasons: Why, a sentence each, without a full stop.
        period: Whose answers were examined.
        images: Different valid images of the traffic that the tests rest on.
        invalid: Answers about images that the model could not use.
        embedded: Images of the traffic with an embedding.
        reference_images: Images of the reference.
        unknown: Share of unknown images; None without images.
        reference_unknown: That of the reference.
        tests: The tests that could be made.
        classes: Shares of the classes, the most frequent first.
        scores: Histograms; None without images.
        reference_accuracy: On the reference's images that are taken for known.
        estimated_accuracy: On the traffic's images that are taken for known, without labels; None
            if it cannot be known.
        not_estimated: Why it is None; empty otherwise.
        reviewed: What people's decisions say.
        notes: What else people should know, without a full stop.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    period: Period
    images: int
    invalid: int = 0
    embedded: int = 0
    reference_images: int = 0
    unknown: Measure | None = None
    reference_unknown: Measure | None = None
    tests: tuple[Test, ...] = ()
    classes: tuple[ClassShare, ...] = ()
    scores: Scores | None = None
    reference_accuracy: Measure | None = None
    estimated_accuracy: Measure | None = None
    not_estimated: str = ""
    reviewed: ReviewedAccuracy
    notes: tuple[str, ...] = ()
