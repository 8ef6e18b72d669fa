"""Keeps images out of Beam's shuffles: each is written once, and read where a block needs it.

A block goes with the names of its images' files, some hundred bytes each in place of the pixels.
Imports none of TFX's components, as all that Beam's workers need.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from apache_beam.io.filesystems import FileSystems

from components.file_systems import is_remote

_READERS = 8
"""Objects that are read from a bucket at once: each takes its time to answer."""


@contextmanager
def image_store(uri: str) -> Iterator[str]:
    """A folder for images, as long as a pipeline runs.

    Args:
        uri: An existing folder, which all workers can read and write.
    """
    folder = os.path.join(uri, f"images-{uuid.uuid4().hex}")
    FileSystems.mkdirs(folder)
    try:
        yield folder
    finally:
        # In buckets there are no folders, but names with slashes in them.
        FileSystems.delete([f"{folder}/" if is_remote(folder) else folder])


def write(record: bytes, folder: str) -> str:
    """The path of a new file with the record; a step that is repeated writes another one."""
    path = os.path.join(folder, uuid.uuid4().hex)
    with FileSystems.create(path) as file:
        file.write(record)
    return path


def read(paths: Sequence[str]) -> list[bytes]:
    """The records in the files, in their order."""
    if not all(map(is_remote, paths)):
        return [_read(path) for path in paths]  # threads would cost more than they bring
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(_read, paths))


def _read(path: str) -> bytes:
    with FileSystems.open(path) as file:
        return file.read()
