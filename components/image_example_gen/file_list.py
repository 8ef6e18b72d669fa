"""Counts files and names the first ones, for a warning about any number of them."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from typing import NamedTuple

from base.printable import printable

_NAMED = 5


class Named(NamedTuple):
    """Files of some kind.

    Attributes:
        files: Their number.
        first: The paths of the first ones, sorted.
    """

    files: int = 0
    first: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the first files and how many more there are."""
        more = f" and {self.files - len(self.first)} more" if self.files > len(self.first) else ""
        return ", ".join(printable(path) for path in self.first) + more


def joined(some: Collection[Named]) -> Named:
    """Return the files of several collections as one, in whatever order they come."""
    paths = (path for one in some for path in one.first)
    return Named(sum(one.files for one in some), tuple(heapq.nsmallest(_NAMED, paths)))
