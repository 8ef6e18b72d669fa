"""Reads unknown images: a folder of images of none of the classes known to the model."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from base.errors import DataError
from components.judge.embedding import Item
from images.canonical import UnusableImage
from images.file_names import NOT_UTF8, files_below
from images.reading import read_bytes, read_image
from records import training_keys
from storage.file_systems import is_folder


class Unusable(NamedTuple):
    """An excluded file.

    Attributes:
        source: Its path, as the file system spells it.
        reason: A phrase that completes "the file ...", such as "is empty".
    """

    source: bytes
    reason: str


def files(folder: str) -> list[str]:
    """Return the paths of all files in a folder and below; hidden files and clutter are ignored.

    Raises:
        DataError: There is no such folder, or nothing in it.
    """
    if not is_folder(folder):
        raise DataError(f"judge.unknown: there is no folder {folder}")
    found = sorted(files_below(folder))
    if not found:
        raise DataError(f"judge.unknown: {folder} holds no images")
    return found


def fingerprint(folder: str) -> str:
    """Return a hash of all paths and contents; empty if there is no folder."""
    if not is_folder(folder):
        return ""
    digest = hashlib.sha256()
    for path in files(folder):
        try:
            data = read_bytes(path)
        except (UnusableImage, UnicodeEncodeError):  # excluded, as `read` will say
            data = b""
        digest.update(os.fsencode(path) + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()[:16]


def read(source: bytes, max_pixels: int) -> Item | Unusable:
    """Read one of `files`; never raises because of its content.

    Args:
        source: The file's path, as the file system spells it: Beam passes on no other texts.
        max_pixels: Height times width of the largest image that is read.
    """
    try:
        path = source.decode("utf-8")
    except UnicodeDecodeError:
        return Unusable(source, NOT_UTF8)
    try:
        data, canonical = read_image(path, max_pixels)
    except UnusableImage as e:
        return Unusable(source, str(e))
    return Item(source, b"", source, canonical.data, training_keys.key_of_file(data), unknown=True)
