"""Shows summaries and runs as tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from judging.judgement import Measure
from pipeline.runs.history import Run
from pipeline.runs.outcome import ComponentOutcome, Outcome
from pipeline.runs.summary import Summary
from pipeline.terminal.table import checks_table, make_table, numbers
from records import features

_NAMED = 10
_MOST_CLASSES = 20


def show_summary(console: Console, summary: Summary) -> None:
    """Components, data, metrics beside thresholds, verdict, and where the model is."""
    console.print(Group(*_parts(summary)))


def show_runs(console: Console, runs: Sequence[tuple[Run, Summary | None]]) -> None:
    """Runs, a line each."""
    table = make_table("Run", "Started (UTC)", "Outcome", ">AUC", "Model")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for run, summary in runs:
        auc = summary.metrics.get("auc") if summary else None
        table.add_row(
            run.id,
            f"{run.started:%Y-%m-%d %H:%M}",
            outcome(run),
            f"{auc.value:.4f}" if auc else "",
            Text(_nearby(run.pushed) if run.pushed else "", overflow="fold"),
        )
    console.print(table)


def outcome(run: Run) -> str:
    """A run's outcome in a word or two."""
    if run.failed:
        return f"[red]failed[/] in {run.failed}"
    if not run.verdict:
        return "no verdict"
    outcome = Outcome(run.verdict)
    return f"[{outcome.colour}]{outcome.word}[/]"


def _parts(summary: Summary) -> Iterator[RenderableType]:
    if summary.run:
        yield _components(summary.run)
    if summary.data:
        yield _data(summary)
        yield from _excluded(summary)
    if summary.training:
        yield from _training(summary.training)
    if summary.metrics:
        yield _metrics(summary.metrics)
    if summary.verdict:
        yield checks_table(summary.verdict.checks)
    yield from _verdict(summary)
    if summary.report:
        yield Text(f"Report: {_nearby(summary.report)}", overflow="fold")


def _components(run: Run) -> Table:
    table = make_table("Component", "Outcome", ">Time")
    for one in run.components:
        seconds = "" if one.seconds is None else f"{one.seconds:.1f} s"
        table.add_row(one.id, _mark(one.outcome), seconds)
    return table


def _mark(name: str) -> str:
    outcome = ComponentOutcome(name)
    return f"[{outcome.colour}]{outcome.sign}[/] {outcome.word}"


def _data(summary: Summary) -> Table:
    assert summary.data is not None
    table = make_table("Images", *(f">{split}" for split in features.SPLITS))
    classes = summary.data.classes
    for label in list(classes)[:_MOST_CLASSES]:
        table.add_row(
            f"class {escape(label)}", *(str(classes[label][split]) for split in features.SPLITS)
        )
    if len(classes) > _MOST_CLASSES:
        table.add_row(f"and {len(classes) - _MOST_CLASSES} classes more")
    table.add_section()
    table.add_row("all", *(str(summary.data.images_in(split)) for split in features.SPLITS))
    if summary.pairs:
        table.add_row("pairs", *(f"{summary.pairs[split]['pairs']:,}" for split in features.SPLITS))
    return table


def _excluded(summary: Summary) -> Iterator[RenderableType]:
    assert summary.data is not None
    files = summary.data.excluded
    if not files:
        return
    yield Text(f"{len(files)} of {summary.data.files} files were set aside:", style="yellow")
    for item in files[:_NAMED]:
        yield Text(f"  {item.path} {item.reason}")
    if len(files) > _NAMED:
        yield Text(f"  and {len(files) - _NAMED} more, listed in {Summary.FILE}")


def _training(training: dict[str, Any]) -> Iterator[RenderableType]:
    history, kept = training["history"], training["best_epoch"]
    accuracy = history.get("val_accuracy", [float("nan")] * kept)[kept - 1]
    if accuracy == accuracy:  # else there was nothing to judge
        table = make_table("Few-shot accuracy on the validation images", ">Value")
        table.add_row(f"trained, epoch {kept} of {training['epochs']}", f"{accuracy:.4f}")
        for name, value in training.get("reference_methods", {}).items():
            table.add_row(name, f"{value:.4f}")
        yield table
    if found := training.get("hyperparameters"):
        table = make_table("Hyperparameter", ">Found by the tuner")
        for name, value in found.items():
            table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
        yield table


def _metrics(metrics: Mapping[str, Measure]) -> Table:
    table = make_table("Metric on the test images", ">Value", ">95 % interval", ">Images")
    for name, measure in metrics.items():
        table.add_row(name, *numbers(measure), str(measure.images))
    return table


def _verdict(summary: Summary) -> Iterator[RenderableType]:
    run = summary.run
    if summary.failure:
        return
    if summary.outcome:
        found = Outcome(summary.outcome)
        why = "; ".join(summary.reasons) or "see the Judge's judgement"
        yield Text(f"{found.heading}: {why}.", style=f"bold {found.colour}")
        if found is not Outcome.BLESSED:
            yield Text("Nothing was pushed; what was served before stays.")
    if run and run.pushed:
        new = any(c.id == "Pusher" and c.outcome == "done" for c in run.components)
        text = "Pushed to" if new else "Nothing is new; pushed before to"
        yield Text(f"{text} {_nearby(run.pushed)}", overflow="fold")


def _nearby(path: str) -> str:
    """A path below the current folder as it is seen from there."""
    return path.removeprefix(f"{os.getcwd()}/")
