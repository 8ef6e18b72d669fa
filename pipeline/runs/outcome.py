"""Outcomes of runs, gates, checks, components and traffic: word, colour, signs, exit code."""

from __future__ import annotations

from enum import Enum
from typing import Any


class _Described(str, Enum):
    """An outcome; its value is its name in files.

    Attributes:
        colour: Of the terminal.
        sign: One character, for the terminal and the report.
        emoji: For Markdown, which has no colours.
    """

    colour: str
    sign: str
    emoji: str

    def __new__(cls, value: str, *row: Any) -> _Described:
        self = str.__new__(cls, value)
        self._value_ = value
        self.colour, self.sign, self.emoji = (*row, "")[:3]
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
        exit_code: Of the command; 2 is wrong usage.
    """

    exit_code: int

    BLESSED = "blessed", "green", "✓", "✅", 0
    NOT_BLESSED = "not_blessed", "red", "✗", "❌", 3
    UNDECIDED = "undecided", "yellow", "?", "❔", 4
    FAILED = "failed", "red", "✗", "❌", 1
    INTERRUPTED = "interrupted", "yellow", "✗", "❌", 130
    RUNNING = "running", "blue", "…", "⏳", 1

    def __init__(self, *row: Any) -> None:
        self.exit_code = row[-1]


class TrafficOutcome(_Described):
    """The outcome of `siamese monitor`.

    Attributes:
        exit_code: Of the command.
    """

    exit_code: int

    FINE = "fine", "green", "✓", "✅", 0
    DRIFTED = "drifted", "red", "✗", "❌", 3
    TOO_FEW = "too_few", "yellow", "?", "❔", 4

    def __init__(self, *row: Any) -> None:
        self.exit_code = row[-1]


class CheckOutcome(_Described):
    """The outcome of one threshold."""

    PASSED = "passed", "green", "✓", "✅"
    FAILED = "failed", "red", "✗", "❌"
    UNDECIDED = "undecided", "yellow", "?", "❔"
    SKIPPED = "skipped", "dim", "-", "⏭️"


class ComponentOutcome(_Described):
    """The outcome of one component in a run."""

    DONE = "done", "green", "✓"
    CACHED = "cached", "blue", "≡"
    FAILED = "failed", "red", "✗"
    UNFINISHED = "unfinished", "red", "✗"
