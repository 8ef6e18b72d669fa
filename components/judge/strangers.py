"""Images of no class at all, in a folder: what the model should not know."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from tfx.dsl.io import fileio

from components.canonical_image import UnusableImage, canonical_image
from components.data_error import DataError
from components.judge.embedding import Item


def files(folder: str) -> list[str]:
    """Paths of the files in it and in folders below, hidden ones left out.

    Raises:
        DataError: There is no such folder, or nothing in it.
    """
    if not fileio.isdir(folder):
        raise DataError(f"judge.unknown: there is no folder {folder}")
    found = [
        os.path.join(os.fsdecode(place), os.fsdecode(name))
        for place, _, names in fileio.walk(folder)
        for name in names
        if not os.fsdecode(name).startswith(".")
    ]
    if not found:
        raise DataError(f"judge.unknown: {folder} holds no images")
    return sorted(found)


def fingerprint(folder: str) -> str:
    """Of all files' paths and contents, so that a change is noticed; empty without a folder."""
    if not fileio.isdir(folder):
        return ""
    digest = hashlib.sha256()
    for path in files(folder):
        with fileio.open(path, "rb") as file:
            digest.update(os.fsencode(path) + b"\0" + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:16]


def read(path: str, max_pixels: int) -> Iterator[Item]:
    """The file's image; none where it cannot be used."""
    with fileio.open(path, "rb") as file:
        data = file.read()
    try:
        image = canonical_image(data, max_pixels).data
    except UnusableImage:
        return
    name = os.fsencode(path)
    yield Item(name, b"", name, image, stranger=True)
