"""Escapes file names for printing."""

from __future__ import annotations

import os


def printable(path: str) -> str:
    """Return a path on one line, with unprintable characters and invalid UTF-8 escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
