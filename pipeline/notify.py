"""Tells the webhook of a configuration (`notify`) of a run, of drift, or of a failure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from base.webhook import Event, Notify, notify
from judging.judgement import Verdict
from pipeline.runs.outcome import Outcome
from pipeline.runs.summary import Summary
from pipeline.terminal.console import err, say

_MOST_CHARACTERS = 500
"""Of a reason in the text; the fields have it whole."""


def tell(settings: Notify, event: Event, text: str, fields: Mapping[str, Any]) -> None:
    """Tell the webhook of an event; print a warning if it cannot be told, `--quiet` or not."""
    if problem := notify(settings, event, text, fields):
        say(f"Warning: {problem}.", err)


def tell_of_run(settings: Notify, summary: Summary) -> None:
    """Tell the webhook of a run that has ended: its verdict, or its failure."""
    if summary.unfinished or summary.outcome is None:
        return
    failed = summary.outcome is Outcome.FAILED
    why = summary.failure or "; ".join(summary.reasons)
    text = f"{summary.name}: run {summary.id} "
    if failed:
        component = summary.run and summary.run.failed
        text += f"failed{f' in {component}' if component else ''}"
    else:
        text += f"is {summary.outcome.word}"
    text += f": {_shortened(why)}" if why else "."
    pushed = summary.run.pushed if summary.run and summary.outcome is Outcome.BLESSED else None
    if pushed:
        text += f" Pushed to {pushed}"
    fields = {
        "pipeline": summary.name,
        "run": summary.id,
        "outcome": summary.outcome.value,
        "reasons": [summary.failure] if summary.failure else list(summary.reasons),
        "figures": {
            name: one.value for name, one in summary.metrics.items() if math.isfinite(one.value)
        },
        "pushed": pushed,
        "report": summary.report,
    }
    tell(settings, "failure" if failed else "verdict", text, fields)


def tell_of_verdict(settings: Notify, pipeline: str, run: str, verdict: Verdict, link: str) -> None:
    """Tell the webhook of the verdict of a run on a cluster.

    Args:
        settings: The section `notify`.
        pipeline: The pipeline's name.
        run: The run's name.
        verdict: Its verdict.
        link: Where the run can be looked at.
    """
    outcome = Outcome(verdict.outcome)
    text = f"{run} is {outcome.word}: {_shortened('; '.join(verdict.reasons))} {link}"
    reasons = list(verdict.reasons)
    fields = {"pipeline": pipeline, "run": run, "outcome": outcome.value, "reasons": reasons}
    tell(settings, "verdict", text, {**fields, "link": link})


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return f"{line[: _MOST_CHARACTERS - 1]}…" if len(line) > _MOST_CHARACTERS else f"{line}."
