"""Numbers of things in words."""

from __future__ import annotations


def counted(count: int, what: str, verb: tuple[str, str] | None = None) -> str:
    """Return such as "1 image", "2 images"; for the verb ("is", "are") "1 image is".

    Args:
        count: How many.
        what: The noun in the singular, with a regular plural.
        verb: Its singular and plural.
    """
    words = f"{count:,} {what}{'' if count == 1 else 's'}"
    return f"{words} {verb[count != 1]}" if verb else words
