"""Adds InfraCheck's finding to the Judge's verdict."""

from __future__ import annotations

from judging.judgement import Check, Verdict
from pipeline.runs.history import Run


def with_infra_check(verdict: Verdict, run: Run | None) -> Verdict:
    """Return the verdict that decides on the push: a blessed model must also pass InfraCheck.

    Args:
        verdict: The Judge's.
        run: The run; without an InfraCheck in it, nothing is added.
    """
    if run is None or run.output("InfraCheck", "blessing") is None:
        return verdict
    return with_infra_problem(verdict, run.infra_problem)


def with_infra_problem(verdict: Verdict, problem: str | None) -> Verdict:
    """Return the verdict with InfraCheck's finding.

    Args:
        verdict: The Judge's.
        problem: Why it withholds its blessing; None or empty if it does not.
    """
    check = Check(
        metric="InfraCheck",
        required="passed",
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
        reasons=(*against, f"InfraCheck failed: {problem}"),
    )
