"""The outcomes of runs, gates, checks and components: word, colour, signs and exit code of each."""

from __future__ import annotations

from enum import Enum
from typing import Any


class _Described(str, Enum):
    """An outcome; its value is its name in files.

    Attributes:
        colour: Of the terminal.
        sign: One character, for the terminal and the report.
    """

    colour: str
    sign: str

    def __new__(cls, value: str, *row: Any) -> _Described:
        self = str.__new__(cls, value)
        self._value_ = value
        self.colour, self.sign = row[:2]
        return self

    def __str__(self) -> str:
        return self.value

    @property
    def word(self) -> str:
        """The outcome in a sentence: `not blessed`."""
        return self.value.replace("_", " ")

    @property
    def heading(self) -> str:
        """The outcome at the start of a sentence: `Not blessed`."""
        return self.word.capitalize()


class Outcome(_Described):
    """The outcome of a run or a gate.

    Attributes:
        emoji: For Markdown, which has no colours.
        exit_code: Of the command; 2 is wrong usage.
    """

    emoji: str
    exit_code: int

    BLESSED = "blessed", "green", "✓", "✅", 0
    NOT_BLESSED = "not_blessed", "red", "✗", "❌", 3
    UNDECIDED = "undecided", "yellow", "?", "❔", 4
    FAILED = "failed", "red", "✗", "❌", 1
    INTERRUPTED = "interrupted", "yellow", "✗", "❌", 130
    RUNNING = "running", "blue", "…", "⏳", 1

    def __init__(self, *row: Any) -> None:
        self.emoji, self.exit_code = row[3:]


class CheckOutcome(_Described):
    """The outcome of one threshold; `emoji` as above."""

    emoji: str

    PASSED = "passed", "green", "✓", "✅"
    FAILED = "failed", "red", "✗", "❌"
    UNDECIDED = "undecided", "yellow", "?", "❔"
    SKIPPED = "skipped", "dim", "-", "⏭️"

    def __init__(self, *row: Any) -> None:
        self.emoji = row[3]


class ComponentOutcome(_Described):
    """The outcome of one component in a run."""

    DONE = "done", "green", "✓"
    CACHED = "cached", "blue", "≡"
    FAILED = "failed", "red", "✗"
    UNFINISHED = "unfinished", "red", "✗"
