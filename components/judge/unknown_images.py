"""Images of no class at all, in a folder: what the model should not know."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import NamedTuple

import apache_beam as beam

from base.errors import DataError
from base.printable import printable
from components.judge.embedding import Item
from components.judge.exported_model import text
from images.canonical import UnusableImage
from images.file_names import NOT_UTF8, files_below
from images.reading import read_bytes, read_image
from records import training_keys
from storage.file_systems import is_folder

_NAMED = 3


class Unusable(NamedTuple):
    """A file that is left out.

    Attributes:
        source: Its path, as the file system spells it.
        reason: A predicate ("is empty").
    """

    source: bytes
    reason: str


def files(folder: str) -> list[str]:
    """Paths of the files in it and in folders below; hidden ones and clutter are passed over.

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
    """Of all files' paths and contents, so that a change is noticed; empty without a folder."""
    if not is_folder(folder):
        return ""
    digest = hashlib.sha256()
    for path in files(folder):
        try:
            data = read_bytes(path)
        except (UnusableImage, UnicodeEncodeError):  # it is not judged by, as `read` will say
            data = b""
        digest.update(os.fsencode(path) + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()[:16]


def read(source: bytes, max_pixels: int) -> Item | Unusable:
    """The image in a file of `files`; never raises for what may be wrong with it.

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


class Read(beam.PTransform):
    """Paths of `files`, encoded, to images, and to why the other files are none.

    Args:
        max_pixels: See `read`.
    """

    def __init__(self, max_pixels: int) -> None:
        super().__init__()
        self._max_pixels = max_pixels

    def expand(self, sources: beam.PCollection) -> tuple[beam.PCollection, beam.PCollection]:
        """Items, and one JSON text: by path, the reasons."""
        found = sources | "Read" >> beam.Map(read, self._max_pixels)
        reasons = (
            found
            | "Unusable" >> beam.Filter(lambda one: isinstance(one, Unusable))
            | "Reason" >> beam.Map(lambda one: (text(one.source), one.reason))
            | "Gather" >> beam.combiners.ToDict()
            | "AsJson" >> beam.Map(json.dumps, sort_keys=True)
        )
        return found | "Usable" >> beam.Filter(lambda one: isinstance(one, Item)), reasons


def check_some_left(folder: str, count: int, unusable: Mapping[str, str]) -> None:
    """Stop where all files are unusable: the model would be judged by something else, unnoticed.

    Args:
        folder: Of the files.
        count: How many there are.
        unusable: Of those that cannot be used the reason, by path.

    Raises:
        DataError: None is left.
    """
    if len(unusable) < count:
        return
    named = [
        f"{printable(os.path.relpath(path, folder))}: {reason}"
        for path, reason in list(unusable.items())[:_NAMED]
    ]
    if count > _NAMED:
        named.append(f"and {count - _NAMED} more")
    raise DataError(
        f"judge.unknown: none of the {count} files in {folder} can be used as an image: "
        f"{'; '.join(named)}. Put images there that are of no class, or leave judge.unknown out"
    )
