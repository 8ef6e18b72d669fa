"""Labels and file names as text that can be printed and stored."""

from __future__ import annotations

import os


def printable(path: str) -> str:
    """Return a path on one line, with unprintable characters and invalid UTF-8 escaped."""
    text = text_of(os.fsencode(path))
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def text_of(value: bytes) -> str:
    """Return a label or a file's name, whatever its bytes, as text that JSON can hold."""
    return value.decode("utf-8", "backslashreplace")
