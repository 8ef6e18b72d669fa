"""Shows the audit of a data set."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from base.counted import counted
from base.printable import printable
from images.audit.findings import Audit, Example, Finding
from pipeline.terminal.tables import make_table

_NAMED = 3
"""Files that are named for a finding."""

_CLASSES = 12


def show_audit(console: Console, found: Audit) -> None:
    """Print what the images are, and the findings with what to do about them."""
    console.print(Text(_described(found)), soft_wrap=True)
    console.print(Text(_classes(found)), soft_wrap=True)
    if found.audited < found.files:
        console.print(
            Text(f"Audited: a sample of {found.audited:,}, the same files at every check.")
        )
    if not found.findings:
        console.print("[green]No findings.[/]")
        return
    table = make_table("", "Finding and what to do", ">Files", "For example")
    for one in found.findings:
        style = "yellow" if one.grade == "warning" else ""
        text = Text(f"{one.text}.\n", style).append(one.advice, "dim")
        files = "" if one.files is None else f"{one.files:,}"
        table.add_row(Text("!" if style else "-", style), text, files, Text(_examples(one)))
    console.print(table)
    warnings, notes = len(found.warnings), len(found.findings) - len(found.warnings)
    console.print(Text(f"{counted(warnings, 'warning')} (!), {counted(notes, 'note')} (-)"))


def _described(found: Audit) -> str:
    parts = [f"{found.files:,} files of {len(found.classes)} classes"]
    if found.sizes:
        parts.append(", ".join(found.formats))
        (least_w, width, most_w), (least_h, height, most_h) = found.sizes.values()
        if (least_w, least_h) == (most_w, most_h):
            parts.append(f"{width} x {height} pixels")
        else:
            parts.append(f"{least_w} x {least_h} to {most_w} x {most_h} pixels")
        parts.append(" and ".join(found.modes))
        parts += [
            f"grey levels {low:g} to {high:g}"
            for depth, (low, high) in found.levels.items()
            if depth > 8
        ]
    return "; ".join(parts)


def _classes(found: Audit) -> str:
    counts = sorted(found.classes.items(), key=lambda pair: (-pair[1], pair[0]))
    named = ", ".join(f"{printable(label)} {count:,}" for label, count in counts[:_CLASSES])
    if len(counts) > _CLASSES:
        named += (
            f", {len(counts) - _CLASSES} more with {counts[-1][1]:,} to {counts[_CLASSES][1]:,}"
        )
    return f"Files by class: {named}"


def _examples(finding: Finding) -> str:
    lines = [_example(one) for one in finding.examples[:_NAMED]]
    if (finding.files or 0) > _NAMED:
        lines.append("...")
    return "\n".join(lines)


def _example(one: Example) -> str:
    if one.detail:
        return f"{printable(one.path)}: {printable(one.detail)}"
    return " = ".join(printable(path) for path in (one.path, *one.others[:1]))
