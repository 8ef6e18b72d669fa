"""What `siamese gate` has to say, whatever was judged."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from base.printable import printable
from components.image_example_gen.report import ExcludedFile
from judging import gate
from judging.judgement import BY_TFMA, Check, ClassResult, Judgement, Measure, Verdict
from judging.settings import JudgeSettings, Thresholds
from pipeline.gate.verdict import with_infra_check
from pipeline.runs.finished_run import JudgedRun
from pipeline.runs.outcome import Outcome


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
        excluded: Images that it was not judged on.
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
    excluded: tuple[ExcludedFile, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Of the command."""
        return self.outcome.exit_code

    @property
    def verdict(self) -> str:
        """The outcome and why, in a sentence."""
        return f"{self.outcome.heading}: {'; '.join(self.reasons)}."


def of_judgement(
    judgement: Judgement,
    subject: str,
    verdict: Verdict | None = None,
    notes: tuple[str, ...] = (),
) -> GateResult:
    """What a judgement says.

    Args:
        judgement: The judgement.
        subject: What was judged, in words.
        verdict: In place of the judgement's own.
        notes: See `GateResult`.
    """
    verdict = verdict or judgement.verdict
    return GateResult(
        subject=printable(subject),
        outcome=Outcome(verdict.outcome),
        reasons=verdict.reasons,
        checks=verdict.checks,
        images=judgement.images,
        metrics=judgement.metrics,
        missing=judgement.missing,
        classes=judgement.classes,
        excluded=tuple(
            ExcludedFile(path=printable(path), reason=printable(reason))
            for path, reason in judgement.invalid.items()
        ),
        notes=(*notes, *judgement.limits),
    )


class Wanted(NamedTuple):
    """What a finished run should have reached.

    Attributes:
        thresholds: What the model must reach; None: nothing is said.
        said_in: The file that says so.
        judge: How it should have been judged; None: nothing is said.
    """

    thresholds: Thresholds | None
    said_in: str
    judge: JudgeSettings | None = None


def of_run(judged: JudgedRun, wanted: Wanted | None = None) -> GateResult:
    """What came of a run: its judgement and, where it was served, what InfraCheck found.

    Args:
        judged: The run.
        wanted: Where its thresholds are others than the run's, they decide on what was measured.
    """
    judgement, notes = judged.judgement, []
    verdict = judgement.verdict
    if wanted and wanted.thresholds != judgement.asked:
        j = judgement
        measured = gate.Measured(j.images, j.metrics, j.missing, j.chance, j.compared)
        verdict = gate.decide(wanted.thresholds, measured, _by_tfma(judgement, wanted.thresholds))
        notes.append(
            f"the thresholds of {wanted.said_in} are not those that the run was judged by, by "
            f"which it came out as {Outcome(judgement.verdict.outcome).word}; nothing is "
            "pushed or taken back by this"
        )
    if wanted and wanted.judge and wanted.judge != judgement.settings:
        notes.append(
            f"`judge` in {wanted.said_in} is not what the run was judged by; what it changes needs "
            "a new run"
        )
    verdict = with_infra_check(verdict, judged.run)
    return of_judgement(judgement, judged.words, verdict, notes=tuple(notes))


def _by_tfma(judgement: Judgement, asked: Thresholds | None) -> list[Check]:
    """What the Evaluator found against the model, but for thresholds that are others by now."""
    changed = {
        metric + BY_TFMA
        for metric in Thresholds.model_fields
        if getattr(asked, metric, None) != getattr(judgement.asked, metric, None)
    }
    found = (check for check in judgement.verdict.checks if check.metric.endswith(BY_TFMA))
    return [check for check in found if check.metric not in changed]
