"""Spans: numbered folders of which each holds a whole data set, the newest the current one.

`data.root: parts/span-{SPAN}` stands for `parts/span-1`, `parts/span-2` and so on. A span that was
written from reviewed images says so in a hidden file, `SpanRecord`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, NamedTuple

from pydantic import BaseModel

from storage.file_systems import exists, is_folder, list_entries, open_file

SPAN = "{SPAN}"


class Span(NamedTuple):
    """A span.

    Attributes:
        number: Its number.
        root: The data root of this span.
        pattern: The data root with `SPAN` in it.
        digits: The number as its folder spells it; perhaps with leading zeros.
    """

    number: int
    root: Path
    pattern: str
    digits: str

    def next(self) -> Span:
        """Return the next span, which need not exist, spelled alike."""
        number = self.number + 1
        digits = str(number)
        if self.digits.startswith("0"):
            digits = digits.zfill(len(self.digits))
        return Span(number, Path(self.pattern.replace(SPAN, digits)), self.pattern, digits)

    @property
    def folder(self) -> Path:
        """The folder that has the number in its name; the data root may be below it."""
        before, _, after = self.pattern.partition(SPAN)
        name = f"{before.rpartition('/')[2]}{self.digits}{after.partition('/')[0]}"
        return Path(before.rpartition("/")[0] or ("/" if before.startswith("/") else ".")) / name


class SpanRecord(BaseModel):
    """How a span was made from the one before it; `.review.json` in its data root.

    Attributes:
        before: Number of the span that it was made from.
        added: Files that were added, and the SHA-256 of each.
        moved: Files that were corrected: where they were, and where they are.
        left_out: Files that are of no class.
        reviewed: The class that people gave each image, by SHA-256; empty: none.
        classes: Classes that people added, in this span or an earlier one.
    """

    FILE: ClassVar[str] = ".review.json"

    before: int
    added: dict[str, str] = {}
    moved: dict[str, str] = {}
    left_out: list[str] = []
    reviewed: dict[str, str] = {}
    classes: list[str] = []

    def write(self, root: Path) -> None:
        """Write it into the data root of a span that is being made."""
        root.mkdir(parents=True, exist_ok=True)
        (root / self.FILE).write_text(self.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def read(cls, root: str) -> SpanRecord | None:
        """Return the record of a span; None if it was not made from reviewed images.

        Args:
            root: Its data root, a local path or an address.
        """
        path = os.path.join(root, cls.FILE)
        if not exists(path):
            return None
        with open_file(path) as file:
            return cls.model_validate_json(file.read())


def spans(pattern: str) -> list[Span]:
    """Return the spans of a local data root, oldest first.

    Args:
        pattern: The data root, with `SPAN` in it.
    """
    return [
        Span(number, Path(pattern.replace(SPAN, digits)), pattern, digits)
        for number, digits in _numbers(pattern)
    ]


def _numbers(pattern: str) -> list[tuple[int, str]]:
    """Return the numbers of the spans in order, and how their folders spell them."""
    before, _, after = pattern.partition(SPAN)
    place, _, prefix = before.rpartition("/")
    suffix, slash, below = after.partition("/")
    base = place or ("/" if before.startswith("/") else ".")
    found = []
    for name, may_be in list_entries(base) if is_folder(base) else ():
        digits = name[len(prefix) : len(name) - len(suffix)]
        whole = name == f"{prefix}{digits}{suffix}" and digits.isascii() and digits.isdigit()
        if may_be and whole and (not slash or is_folder(f"{base}/{name}/{below}")):
            found.append((int(digits), digits))
    return sorted(found)


def newest_span(pattern: str) -> Span | None:
    """Return the newest span of a local data root; None if there is none."""
    return max(spans(pattern), default=None)


def current_root(root: str) -> str:
    """Return a data root, that of the newest span if it has several.

    Args:
        root: A local path or an address; with `SPAN` and without any span, it is returned as it is.
    """
    found = _numbers(root) if SPAN in root else []
    return root.replace(SPAN, found[-1][1]) if found else root
