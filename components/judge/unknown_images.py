"""Reads unknown images: a folder of images of none of the classes known to the model."""

from __future__ import annotations

from typing import NamedTuple

from components.judge.embedding import Item
from images import image_folder
from images.canonical import UnusableImage
from images.file_names import NOT_UTF8
from images.reading import read_image
from records import training_keys


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
    return image_folder.files(folder, "judge.unknown")


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
