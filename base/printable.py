"""File names on a line, whatever they are made of."""

from __future__ import annotations

import os


def printable(path: str) -> str:
    """A path on one line, whatever its bytes."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
