"""What `siamese gate` has to say, whatever was judged."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from components.image_example_gen.report import SetAside
from components.judge.judgement import Check, ClassResult, Judgement, Measure, Outcome, Verdict
from components.printable import printable
from pipeline.finished_run import JudgedRun
from pipeline.terminal import OF_VERDICT
from pipeline.verdict import with_infra_check


class GateResult(BaseModel):
    """A verdict, and what it rests on.

    Attributes:
        subject: What was judged, in words.
        outcome: The verdict.
        reasons: Sentences; those against it, or one for it.
        checks: Each threshold and what became of it.
        images: Images that it was judged on.
        metrics: All that could be measured.
        missing: By metric, why it could not be measured.
        classes: Each class.
        set_aside: Images that it was not judged on.
        notes: What else people should know.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    subject: str
    outcome: Outcome
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    images: int
    metrics: dict[str, Measure]
    missing: dict[str, str]
    classes: tuple[ClassResult, ...]
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Of the command."""
        return OF_VERDICT[self.outcome]

    @property
    def verdict(self) -> str:
        """The outcome and why, in a sentence."""
        told = {
            "blessed": "Blessed",
            "not_blessed": "Not blessed",
            "undecided": "Not enough data",
        }[self.outcome]
        return f"{told}: {'; '.join(self.reasons)}."


def of_judgement(
    judgement: Judgement,
    subject: str,
    verdict: Verdict | None = None,
    set_aside: tuple[SetAside, ...] | None = None,
    notes: tuple[str, ...] = (),
) -> GateResult:
    """What a judgement says.

    Args:
        judgement: The judgement.
        subject: What was judged, in words.
        verdict: In place of the judgement's own.
        set_aside: Images that it was not judged on; None: those that the judgement names.
        notes: See `GateResult`.
    """
    verdict = verdict or judgement.verdict
    if set_aside is None:
        set_aside = tuple(
            SetAside(path=printable(path), reason=reason)
            for path, reason in judgement.invalid.items()
        )
    return GateResult(
        subject=printable(subject),
        outcome=verdict.outcome,
        reasons=verdict.reasons,
        checks=verdict.checks,
        images=judgement.images,
        metrics=judgement.metrics,
        missing=judgement.missing,
        classes=judgement.classes,
        set_aside=set_aside,
        notes=notes,
    )


def of_run(judged: JudgedRun) -> GateResult:
    """What came of a run: its judgement and, where it was served, what InfraCheck found."""
    verdict = with_infra_check(judged.judgement.verdict, judged.run)
    return of_judgement(judged.judgement, judged.words, verdict)
