"""What an audit returns, as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel

LISTED = 20
"""Maximum number of examples of a finding."""


Grade: TypeAlias = Literal["warning", "note"]


class Example(BaseModel):
    """A file that shows a finding.

    Attributes:
        path: Relative to the data root.
        label: Its class.
        detail: What was found, a few words.
        others: Files that it is to be compared with: its copies, or its neighbours.
        other_labels: Their classes.
    """

    path: str
    label: str
    detail: str = ""
    others: tuple[str, ...] = ()
    other_labels: tuple[str, ...] = ()


class Finding(BaseModel):
    """Something that a user should know before training.

    Attributes:
        kind: An identifier, such as `blank`.
        grade: `warning`: most probably a fault in the data; `note`: may be as it should be.
        text: What was found, a sentence.
        advice: What to do about it, a sentence.
        files: Number of files concerned; None if it concerns the data set as a whole.
        examples: The worst files, the worst first; at most `LISTED`.
    """

    kind: str
    grade: Grade
    text: str
    advice: str
    files: int | None = None
    examples: tuple[Example, ...] = ()


class Audit(BaseModel):
    """The result of an audit.

    Attributes:
        root: The data root.
        files: Number of files.
        audited: Number of files that were read: all, or a sample.
        classes: Number of files by class.
        formats: Number of audited images by file format.
        modes: Number of audited images by colour mode and depth, such as `grey, 16 bits`.
        sizes: Smallest, median and largest width and height in pixels, of audited images.
        levels: Smallest and largest grey level, by depth in bits.
        findings: Warnings first.
    """

    FILE: ClassVar[str] = "audit.json"

    root: str
    files: int
    audited: int
    classes: dict[str, int]
    formats: dict[str, int] = {}
    modes: dict[str, int] = {}
    sizes: dict[str, tuple[int, int, int]] = {}
    levels: dict[int, tuple[float, float]] = {}
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> list[Finding]:
        """The findings of grade `warning`."""
        return [one for one in self.findings if one.grade == "warning"]


def read_audit(path: Path) -> Audit | None:
    """Return the audit in a file; None if there is none."""
    return Audit.model_validate_json(path.read_bytes()) if path.is_file() else None


def about(
    examples: Sequence[Example], kind: str, grade: Grade, text: str, advice: str
) -> Iterator[Finding]:
    """Yield a finding about files, the worst first; nothing if there are none."""
    if examples:
        yield Finding(
            kind=kind,
            grade=grade,
            text=text,
            advice=advice,
            files=len(examples),
            examples=tuple(examples[:LISTED]),
        )
