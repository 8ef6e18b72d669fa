"""Adds InfraCheck's finding to the Judge's verdict."""

from __future__ import annotations

from judging.judgement import Check, Verdict
from pipeline.runs.history import Run


def with_infra_check(verdict: Verdict, run: Run | None) -> Verdict:
    """Return the verdict that decides on the push: a blessed model must also be servable.

    Args:
        verdict: The Judge's.
        run: The run; without an InfraCheck in it, nothing is added.
    """
    if run is None or run.output("InfraCheck", "blessing") is None:
        return verdict
    return with_server_check(verdict, run.infra_problem)


def with_server_check(verdict: Verdict, problem: str | None) -> Verdict:
    """Return the verdict with InfraCheck's finding.

    Args:
        verdict: The Judge's.
        problem: Why a server does not return the model's answers; None or empty if it does.
    """
    check = Check(
        metric="answers of a server",
        required="those of the model",
        outcome="failed" if problem else "passed",
        note=problem or "",
    )
    checks = (*verdict.checks, check)
    if not problem:
        return verdict.model_copy(update={"checks": checks})
    against = () if verdict.outcome == "blessed" else verdict.reasons
    return Verdict(
        outcome="not_blessed",
        checks=checks,
        reasons=(*against, f"it cannot be served: {problem}"),
    )
