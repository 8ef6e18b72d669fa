"""Formats what monitoring finds for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from base.printable import printable
from judging.judgement import Measure
from judging.number_text import percent, percent_interval
from monitoring.findings import ClassShare, MonitorFindings, Test
from pipeline.runs.outcome import TrafficOutcome
from pipeline.terminal.tables import make_table

_MOST_CLASSES = 20


def show(console: Console, found: MonitorFindings) -> None:
    """Print the shares, the tests, the classes, accuracy and the outcome."""
    console.print(Group(*_parts(found)))
    show_outcome(console, found)


def show_outcome(console: Console, found: MonitorFindings) -> None:
    """Print the outcome and its reasons."""
    outcome = TrafficOutcome(found.outcome)
    style = f"bold {outcome.colour}"
    console.print(Text(sentence(found), style=style), soft_wrap=True)


def sentence(found: MonitorFindings) -> str:
    """Return the outcome with its reasons."""
    outcome = TrafficOutcome(found.outcome)
    return printable(f"{outcome.heading}: {'; '.join(found.reasons)}.")


def heading(found: MonitorFindings) -> str:
    """Return whose answers of when are examined."""
    period = found.period
    of = f"{period.model or 'no model'}"
    if period.version is not None:
        of += f", version {period.version}"
    return printable(
        f"{of}: {period.answers:,} answers, {found.images:,} images, {period.since:%F %H:%M} to "
        f"{period.until:%F %H:%M} UTC"
    )


def other_notes(found: MonitorFindings) -> Iterator[str]:
    """Yield all notes, without full stops."""
    if found.invalid:
        yield f"{found.invalid:,} answers are about files that the model could not use"
    if others := found.period.other_versions:
        told = ", ".join(f"{count:,} of {name}" for name, count in others.items())
        yield f"answers of other versions are not examined: {told}"
    yield from found.notes


def accuracy_lines(found: MonitorFindings) -> Iterator[tuple[str, str]]:
    """Yield what is known of the accuracy: names and sentences."""
    if found.reference_accuracy:
        yield "on the judged images", _measured(found.reference_accuracy)
    if found.estimated_accuracy:
        yield "estimated, without labels", _measured(found.estimated_accuracy)
    else:
        yield "estimated, without labels", f"not known: {found.not_estimated}"
    told = found.reviewed
    if told.accuracy:
        yield "measured, on images kept at random", _measured(told.accuracy)
    elif told.random:
        yield "measured", f"not yet: {told.random} images kept at random wait for review"
    else:
        yield "measured", "not known: no image of the period was kept at random (traffic.random)"
    if told.others:
        yield (
            "reviewed for other reasons",
            f"{told.others_correct} of {told.others} correct; they were chosen, and estimate "
            "nothing",
        )
    if told.skipped:
        yield "skipped in the review", f"{told.skipped}, of which people could not tell the class"


def _measured(measure: Measure) -> str:
    value = percent(measure.value, measure.images)
    return f"{value} ({percent_interval(measure)}) of {measure.images:,} images"


def _parts(found: MonitorFindings) -> Iterator[RenderableType]:
    yield Text(heading(found), overflow="fold")
    if found.unknown:
        yield _unknown(found)
    if found.tests:
        yield _tests(found.tests)
    if found.classes and found.images:
        yield _classes(found.classes)
    if found.images:
        table = make_table("Accuracy of the classes", "95 % interval")
        for name, text in accuracy_lines(found):
            table.add_row(name, text)
        yield table
    for note in other_notes(found):
        yield Text(f"Note: {printable(note)}.", style="yellow")


def _unknown(found: MonitorFindings) -> Table:
    table = make_table("Unknown images", ">Share", ">95 % interval", ">Images")
    for name, measure in (("traffic", found.unknown), ("judged images", found.reference_unknown)):
        if measure:
            value = percent(measure.value, measure.images)
            table.add_row(name, value, percent_interval(measure), f"{measure.images:,}")
    return table


def _tests(tests: tuple[Test, ...]) -> Table:
    table = make_table("Drift of", ">p", ">Alarm below", ">Effect", ">Alarm from", "")
    for one in tests:
        outcome = TrafficOutcome.DRIFTED if one.drifted else TrafficOutcome.FINE
        table.add_row(
            one.name,
            f"{one.p_value:.4f}",
            f"{one.level:.3f}",
            *(effect_text(one, value) for value in (one.effect, one.required)),
            Text(outcome.word, style=outcome.colour),
        )
    return table


def effect_text(test: Test, value: float) -> str:
    """Return an effect with its unit: `+4.0 points`, `0.52 SD`."""
    if test.unit == "share":
        return f"{100 * value:+.1f} points"
    return f"{value:.2f} SD"


def _classes(classes: tuple[ClassShare, ...]) -> Table:
    table = make_table("Class given", ">Traffic", ">Judged images")
    for one in classes[:_MOST_CLASSES]:
        before = "none" if one.reference is None else f"{100 * one.reference:.1f} %"
        table.add_row(Text(printable(one.label)), f"{100 * one.traffic:.1f} %", before)
    if len(classes) > _MOST_CLASSES:
        table.add_row(f"and {len(classes) - _MOST_CLASSES} more classes")
    return table
