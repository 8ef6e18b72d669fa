"""Reads and measures a data set's images, or a sample of them."""

from __future__ import annotations

import functools
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from images.audit.findings import Example
from images.audit.properties import Properties, measure
from images.canonical import Region, UnusableImage
from images.reading import read_bytes

_MIN_OF_CLASS = 2
"""Images of each class in a sample, however many classes there are."""


class File(NamedTuple):
    """A file that should contain an image.

    Attributes:
        path: Relative to the data root.
        label: Its class.
        problem: Why its name makes it unusable.
        split: The split that the data set gives it, if any.
    """

    path: str
    label: str
    problem: str | None = None
    split: str | None = None


class Collection(NamedTuple):
    """The measured images of a data set.

    Attributes:
        files: The usable files.
        images: The properties of each.
        unusable: The other files, each with its problem.
    """

    files: Sequence[File]
    images: Sequence[Properties]
    unusable: Sequence[File]

    @property
    def labels(self) -> np.ndarray:
        """The class of each usable file, str [n]."""
        return np.array([file.label for file in self.files], dtype=object)

    def values(self, name: str) -> np.ndarray:
        """Return one property of each image, float64 [n]; NaN for None."""
        return np.array([getattr(one, name) for one in self.images], dtype=np.float64)

    def examples(
        self, found: np.ndarray, order: np.ndarray, details: Sequence[str]
    ) -> list[Example]:
        """Return the images that were found, by descending `order`.

        Args:
            found: bool [n].
            order: float [n].
            details: A few words about each image, [n].
        """
        at = [i for i in np.argsort(-order, kind="stable").tolist() if found[i]]
        return [
            Example(path=self.files[i].path, label=self.files[i].label, detail=details[i])
            for i in at
        ]


def sample(files: Sequence[File], limit: int) -> list[File]:
    """Return about `limit` files at most: at most n per class, the same n for all.

    A file is chosen by the hash of its path, so that new files do not change the others' sample.

    Args:
        files: All files.
        limit: With many classes, `_MIN_OF_CLASS` of each are returned even if that is more.
    """
    if len(files) <= limit:
        return list(files)
    by_class: dict[str, list[File]] = defaultdict(list)
    for file in sorted(files, key=_by_hash):
        by_class[file.label].append(file)
    each = limit
    while each > _MIN_OF_CLASS and sum(min(each, len(of)) for of in by_class.values()) > limit:
        each -= 1
    return sorted(file for of in by_class.values() for file in of[:each])


def collect(
    root: str, files: Iterable[File], max_pixels: int, region: Region | None = None
) -> Collection:
    """Read and measure files, on all CPUs.

    Args:
        root: The data root, a local path or an address.
        files: Files below it.
        max_pixels: Height times width of the largest image that is accepted.
        region: As for `measure`.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        measured = list(threads.map(functools.partial(_measure, root, max_pixels, region), files))
    usable = [(file, found) for file, found in measured if isinstance(found, Properties)]
    return Collection(
        [file for file, _ in usable],
        [found for _, found in usable],
        [file._replace(problem=found) for file, found in measured if isinstance(found, str)],
    )


def _measure(
    root: str, max_pixels: int, region: Region | None, file: File
) -> tuple[File, Properties | str]:
    """Return an image's properties, or why it is unusable."""
    if file.problem:
        return file, file.problem
    try:
        return file, measure(read_bytes(os.path.join(root, file.path)), max_pixels, region)
    except UnusableImage as e:
        return file, str(e)


def _by_hash(file: File) -> bytes:
    return hashlib.sha256(os.fsencode(file.path)).digest()
