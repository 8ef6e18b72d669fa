"""Formats the gate's result: tables, JUnit XML and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table
from rich.text import Text

from base.printable import printable
from judging.judgement import Check, ClassResult
from judging.number_text import is_difference
from pipeline.gate.result import GateResult
from pipeline.runs.outcome import CheckOutcome, Outcome
from pipeline.terminal.tables import checks_table, make_table, numbers

_MOST_FILES = 10

_MOST_CLASSES = 20

_CELLS = 20
"""Characters that an interval is drawn with."""


# --- terminal -------------------------------------------------------------------------------------


def show(console: Console, result: GateResult) -> None:
    """Print thresholds, the worst classes, excluded files and the verdict."""
    console.print(Text(f"{result.subject}, on {result.images} images", overflow="fold"))
    console.print(checks_table(result.checks))
    if result.classes:
        console.print(_classes(result.classes))
    if result.excluded:
        console.print(Text(f"Excluded files: {len(result.excluded)}", style="yellow"))
        for item in result.excluded[:_MOST_FILES]:
            console.print(Text(f"  {item.path}: {item.reason}"), soft_wrap=True)
        if len(result.excluded) > _MOST_FILES:
            console.print(
                Text(f"  and {len(result.excluded) - _MOST_FILES} more, listed by --json")
            )
    for note in result.notes:
        console.print(Text(f"Note: {note}.", style="yellow"), soft_wrap=True)
    show_verdict(console, result)


def show_verdict(console: Console, result: GateResult) -> None:
    """Print the verdict and its reasons."""
    style = f"bold {result.outcome.colour}"
    console.print(Text(result.verdict, style=style), soft_wrap=True)


def _classes(classes: Iterable[ClassResult]) -> Table:
    worst = _worst_first(classes)
    table = make_table("Class", ">Images", ">Recall", ">95 % interval")
    for one in worst[:_MOST_CLASSES]:
        table.add_row(Text(printable(one.label)), str(one.images), *numbers(one.recall))
    if len(worst) > _MOST_CLASSES:
        table.add_row(f"and {len(worst) - _MOST_CLASSES} classes that do no worse")
    return table


def _worst_first(classes: Iterable[ClassResult]) -> list[ClassResult]:
    return sorted(classes, key=lambda one: (one.recall.value, one.label))


# --- JUnit ----------------------------------------------------------------------------------------


def write_junit(result: GateResult, path: Path) -> None:
    """Write a test case for each threshold; without thresholds, one that fails.

    An undecided check is an error, so that it does not look passed in the file alone.

    Raises:
        OSError: The file cannot be written.
    """
    cases = [_case(check) for check in result.checks]
    if not any(check.outcome != "skipped" for check in result.checks):
        case = ElementTree.Element("testcase", classname="siamese.gate", name="thresholds")
        _say(case, "failure", Outcome.NOT_BLESSED.word, "; ".join(result.reasons))
        cases.append(case)
    counts = {
        "tests": str(len(cases)),
        **{
            kind: str(sum(case.find(tag) is not None for case in cases))
            for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
        },
    }
    suites = ElementTree.Element("testsuites", counts)
    name = f"siamese gate: {result.subject}"
    suite = ElementTree.SubElement(suites, "testsuite", {"name": name, **counts})
    suite.extend(cases)
    lines = [result.verdict, *(f"Note: {note}." for note in result.notes)]
    lines += [f"excluded: {item.path}: {item.reason}" for item in result.excluded]
    ElementTree.SubElement(suite, "system-out").text = "\n".join(map(printable, lines))
    ElementTree.indent(suites)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _case(check: Check) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="siamese.gate", name=printable(check.metric))
    told = check.sentence
    if check.outcome == "failed":
        _say(case, "failure", Outcome.NOT_BLESSED.word, told)
    elif check.outcome == "undecided":
        _say(case, "error", Outcome.UNDECIDED.word, told)
    elif check.outcome == "skipped":
        ElementTree.SubElement(case, "skipped", message=printable(told))
    return case


def _say(case: ElementTree.Element, tag: str, kind: str, words: str) -> None:
    ElementTree.SubElement(case, tag, type=kind, message=printable(words)).text = printable(words)


# --- Markdown -------------------------------------------------------------------------------------


def markdown(result: GateResult) -> str:
    """Return Markdown for a pull request or a job's summary, on GitHub and GitLab."""
    return "\n".join(_markdown(result)) + "\n"


def _markdown(result: GateResult) -> Iterator[str]:
    yield f"### {result.outcome.emoji} {result.outcome.heading}"
    yield ""
    yield f"{_code(result.subject)}, on {result.images} images"
    yield ""
    for reason in result.reasons:
        yield f"- {_escape(reason)}"
    yield ""
    if result.checks:
        yield "| | Threshold | Value | 95 % interval | 0 to 1 | Required | |"
        yield "|---|---|---:|---:|---|---|---|"
        for check in result.checks:
            value, interval = numbers(check.measure)
            of_each = " of each class" if check.of_each_class else ""
            more = (
                f"about {check.needed} images{of_each} would decide" if check.needed else check.note
            )
            outcome = CheckOutcome(check.outcome)
            yield (
                f"| {outcome.emoji} {outcome.word} | {_escape(check.metric)} | {value} "
                f"| {interval} | {_drawn(check)} | {_escape(check.required)} | {_escape(more)} |"
            )
        yield ""
    if result.classes:
        yield from _folded(f"Classes: {len(result.classes)}", _class_rows(result.classes))
    if result.excluded:
        rows = (f"- {_code(item.path)}: {_escape(item.reason)}" for item in result.excluded)
        yield from _folded(f"Excluded files: {len(result.excluded)}", rows)
    for note in result.notes:
        yield f"> Note: {_escape(note)}."
        yield ""


def _drawn(check: Check) -> str:
    """Return a metric and its interval as a line of characters from 0 to 1.

    Neither GitHub nor GitLab shows a picture that is not hosted. Empty for a difference, which may
    be negative, and for what was not measured.
    """
    measure = check.measure
    if measure is None or is_difference(check.metric):
        return ""
    ends = measure.low, measure.value, measure.high
    if not all(0 <= end <= 1 for end in ends):
        return ""
    low, value, high = (min(int(end * _CELLS), _CELLS - 1) for end in ends)
    line = "·" * low + "━" * (value - low) + "●" + "━" * (high - value) + "·" * (_CELLS - 1 - high)
    return f"<code>{line}</code>"


def _class_rows(classes: Iterable[ClassResult]) -> Iterator[str]:
    yield "| Class | Images | Recall | 95 % interval |"
    yield "|---|---:|---:|---:|"
    for one in _worst_first(classes):
        value, interval = numbers(one.recall)
        yield f"| {_code(one.label)} | {one.images} | {value} | {interval} |"


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


_SPECIAL = re.compile(r"[&<>`|*\[\]#~@\\$]|(?<![^\W_])_|_(?![^\W_])")
"""What has a meaning in Markdown, HTML, tables or mentions; not an underscore within a word."""


def _escape(text: str) -> str:
    """Return text that is shown literally."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", printable(text))


def _code(text: str) -> str:
    """Return it as code, without mentions or links."""
    return f"<code>{_escape(text)}</code>"
