"""Shows the summary of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from judging.judgement import Measure
from judging.number_text import number
from pipeline.runs.history import Run
from pipeline.runs.outcome import ComponentOutcome, Outcome
from pipeline.runs.summary import Summary
from pipeline.terminal.tables import checks_table, make_table, numbers
from records import features

_NAMED = 10
_MOST_CLASSES = 20


def show_summary(console: Console, summary: Summary, components: bool = True) -> None:
    """Print components, data, metrics beside thresholds, the verdict, and where the model is."""
    console.print(Group(*_parts(summary, components)))


def show_verdict(console: Console, summary: Summary) -> None:
    """Print the verdict, and where the model is."""
    console.print(Group(*_verdict(summary)))


def outcome(run: Summary) -> str:
    """Return a run's outcome in a word or two, as markup."""
    if not run.outcome:
        return "no verdict"
    failed = run.run.failed if run.run and run.outcome is Outcome.FAILED else None
    where = f" in {failed}" if failed else ""
    return f"[{run.outcome.colour}]{run.outcome.word}[/]{where}"


def _parts(summary: Summary, components: bool) -> Iterator[RenderableType]:
    if summary.run and components:
        yield _components(summary.run)
    if summary.data:
        yield _data(summary)
        yield from _excluded(summary)
        yield from (Text(f"{text}.", style="yellow") for text in summary.data.warnings)
    if summary.training:
        yield from _training(summary.training)
    if summary.metrics:
        yield _metrics(summary.metrics)
    if summary.verdict:
        yield checks_table(summary.verdict.checks)
    yield from _verdict(summary)
    if summary.report:
        yield Text(f"Report: {nearby(summary.report)}", overflow="fold")


def _components(run: Run) -> Table:
    table = make_table("Component", "Outcome", ">Time")
    for one in run.components:
        seconds = "" if one.seconds is None else f"{one.seconds:.1f} s"
        table.add_row(one.id, _mark(one.outcome), seconds)
    return table


def _mark(outcome: ComponentOutcome) -> str:
    return f"[{outcome.colour}]{outcome.sign}[/] {outcome.word}"


def _data(summary: Summary) -> Table:
    assert summary.data is not None
    splits, folds = summary.data.splits, summary.data.folds
    heads = [f"in {len(folds)} folds"] if folds else splits
    table = make_table("Images", *(f">{head}" for head in heads))
    classes = summary.data.classes
    for label in list(classes)[:_MOST_CLASSES]:
        table.add_row(f"class {escape(label)}", *(str(classes[label][split]) for split in splits))
    if len(classes) > _MOST_CLASSES:
        table.add_row(f"and {len(classes) - _MOST_CLASSES} more classes")
    table.add_section()
    table.add_row("all", *(str(summary.data.images_in(split)) for split in splits))
    groups = summary.data.groups
    if any(groups.get(split, 0) != summary.data.images_in(split) for split in groups):
        table.add_row("groups of images", *(str(groups[split]) for split in splits))
    if summary.pairs:
        table.add_row("pairs", *(f"{summary.pairs[split]['pairs']:,}" for split in splits))
    if folds and features.TEST in summary.pairs:
        within = summary.pairs[features.TEST]["pairs"]
        table.add_row("pairs judged, within folds", f"{within:,}")
    return table


def _excluded(summary: Summary) -> Iterator[RenderableType]:
    assert summary.data is not None
    files = summary.data.excluded
    if not files:
        return
    yield Text(f"{len(files)} of {summary.data.files} files are excluded:", style="yellow")
    for item in files[:_NAMED]:
        yield Text(f"  {item.path} {item.reason}")
    if len(files) > _NAMED:
        yield Text(f"  and {len(files) - _NAMED} more, listed in {Summary.FILE}")


def _training(training: dict[str, Any]) -> Iterator[RenderableType]:
    yield from _recipe(training.get("recipe", {}))
    if score := training.get("score"):
        yield Text(score["sentence"])
    history, kept = training["history"], training["best_epoch"]
    accuracy = history["val_accuracy"][kept - 1] if "val_accuracy" in history else float("nan")
    if accuracy == accuracy:  # else there was nothing to judge
        table = make_table("Few-shot accuracy on the validation images", ">Value")
        table.add_row(f"trained, epoch {kept} of {training['epochs']}", number(accuracy))
        for name, value in training.get("reference_methods", {}).items():
            table.add_row(name, number(value))
        yield table
    if again := training.get("refit"):
        yield Text(
            f"Trained again on {again['train']} training and {again['validation']} validation "
            f"images, up to epoch {kept}; the accuracy and the thresholds are those of the first "
            "training."
        )
    for outcome, classes in training.get("enrolled", {}).items():
        if classes:
            counts = ", ".join(f"{name} ({n} images)" for name, n in classes.items())
            yield Text(f"Enrolled classes, {outcome}: {counts}.", overflow="fold")
    if found := training.get("hyperparameters"):
        table = make_table("Hyperparameter", ">Found by the tuner")
        for name, value in found.items():
            table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
        yield table


def _recipe(recipe: dict[str, Any]) -> Iterator[RenderableType]:
    if not recipe:
        return
    name = recipe["name"].replace("_", " ")
    yield Text(f"Recipe: {name}; {recipe['reason']}.")
    if "candidates" not in recipe:
        return
    table = make_table("Candidate", ">Accuracy", ">AUC of pairs")
    for one in recipe["candidates"]:
        chosen = one["name"] == recipe.get("chosen", "fine-tuned")
        row = one["name"], number(one["accuracy"]), number(one["auc"])
        table.add_row(*row, style="bold" if chosen else None)
    yield table
    if recipe["name"] == "frozen_encoder":
        first = recipe["candidates"][0]["name"]
        yield Text(
            f"Chosen: {recipe['chosen']}. In cross-validation of {recipe['images']} images, "
            f"{recipe['better']} were right more often than with {first}, and {recipe['worse']} "
            "less often."
        )


def _metrics(metrics: Mapping[str, Measure]) -> Table:
    table = make_table("Metric on the test images", ">Value", ">95 % interval", ">Images")
    for name, measure in metrics.items():
        table.add_row(name, *numbers(measure), str(measure.images))
    return table


def _verdict(summary: Summary) -> Iterator[RenderableType]:
    run = summary.run
    if summary.failure:
        return
    if summary.unfinished:
        yield Text(f"{summary.unfinished.heading}.", style=f"bold {summary.unfinished.colour}")
        return
    if summary.outcome:
        found = summary.outcome
        why = "; ".join(summary.reasons) or "see the Judge's judgement"
        yield Text(f"{found.heading}: {why}.", style=f"bold {found.colour}")
        if found is not Outcome.BLESSED:
            yield Text("Nothing was pushed; the served model is unchanged.")
    if run and run.pushed:
        new = any(c.id == "Pusher" and c.outcome == "done" for c in run.components)
        text = "Pushed to" if new else "Unchanged; pushed before to"
        yield Text(f"{text} {nearby(run.pushed)}", overflow="fold")


def nearby(path: str) -> str:
    """Return a path below the current folder relative to it."""
    return path.removeprefix(f"{os.getcwd()}/")
