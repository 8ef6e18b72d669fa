"""The images that were enrolled in a model's versions, as its pages ask for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache

from storage.enrolled_images import read_enrolled_images

_VERSIONS = 2
"""Whose images are in memory: those of the newest one, and of one that is served."""


class EnrolledPictures:
    """Looks images up by name; threads may share it.

    The names of all versions are kept: most images are of the data set, and no version needs to be
    read again to learn that it lacks one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, frozenset[str]] = {}
        self._images = lru_cache(maxsize=_VERSIONS)(_images)

    def image(self, name: str, versions: Sequence[str]) -> bytes | None:
        """Return an image; None if no version has it.

        Args:
            name: As the model names it.
            versions: Folders, in the order in which they are searched.
        """
        with self._lock:  # pages ask for many at once, and one reading serves them all
            for version in versions:
                if version not in self._names:
                    self._names[version] = frozenset(_images(version))
                if name in self._names[version]:
                    return self._images(version)[name]
        return None


def _images(version: str) -> dict[str, bytes]:
    return {one.source: one.image for one in read_enrolled_images(version)}
