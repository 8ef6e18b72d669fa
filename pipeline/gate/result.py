"""The result of `siamese gate`, for a run or for a model."""

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
    """A verdict and its evidence.

    Attributes:
        subject: What was judged, in words.
        outcome: The verdict.
        reasons: Sentences: all that count against it, or one for it.
        checks: Each threshold and its outcome.
        images: Number of images that it was judged on.
        metrics: All that could be measured, by name.
        missing: Why a metric could not be measured, by name.
        classes: The result of each class.
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
        """Exit code of the command."""
        return self.outcome.exit_code

    @property
    def verdict(self) -> str:
        """The outcome with its reasons, in a sentence."""
        return f"{self.outcome.heading}: {'; '.join(self.reasons)}."


def of_judgement(
    judgement: Judgement,
    subject: str,
    verdict: Verdict | None = None,
    notes: tuple[str, ...] = (),
) -> GateResult:
    """Return the result of a judgement.

    Args:
        judgement: The judgement.
        subject: What was judged, in words.
        verdict: Replaces the judgement's own.
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
        notes=(*notes, *judgement.notes),
    )


class Asked(NamedTuple):
    """What a file asks of a finished run.

    Attributes:
        thresholds: What the model must reach; None: no thresholds.
        file: The file.
        judge: How to judge; None: not said.
    """

    thresholds: Thresholds | None
    file: str
    judge: JudgeSettings | None = None


def of_run(judged: JudgedRun, asked: Asked | None = None) -> GateResult:
    """Return the result of a run: its judgement and, if it was served, InfraCheck's finding.

    Args:
        judged: The run.
        asked: If its thresholds differ from the run's, they decide on what was measured.
    """
    judgement, notes = judged.judgement, []
    verdict = judgement.verdict
    if asked and asked.thresholds != judgement.asked:
        j = judgement
        measured = gate.Measured(
            j.images, j.metrics, j.missing, j.chance, j.compared, j.chance_p_value
        )
        verdict = gate.decide(asked.thresholds, measured, _by_tfma(judgement, asked.thresholds))
        notes.append(
            f"the thresholds of {asked.file} differ from the run's own, by which it was "
            f"{Outcome(judgement.verdict.outcome).word}; this changes nothing that was pushed"
        )
    if asked and asked.judge and asked.judge != judgement.settings:
        notes.append(
            f"`judge` in {asked.file} differs from the run's own; it takes effect in the next run"
        )
    verdict = with_infra_check(verdict, judged.run)
    return of_judgement(judgement, judged.words, verdict, notes=tuple(notes))


def _by_tfma(judgement: Judgement, asked: Thresholds | None) -> list[Check]:
    """Return the Evaluator's failed checks, except for thresholds that have changed since."""
    changed = {
        metric + BY_TFMA
        for metric in Thresholds.model_fields
        if getattr(asked, metric, None) != getattr(judgement.asked, metric, None)
    }
    by_tfma = (check for check in judgement.verdict.checks if check.metric.endswith(BY_TFMA))
    return [check for check in by_tfma if check.metric not in changed]
