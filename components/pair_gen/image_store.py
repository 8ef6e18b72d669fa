"""Keeps pixels out of Beam's shuffles: each image is written once, and read where a block needs it.

What is shuffled is the path of an image's file, about a hundred bytes in place of its pixels.
Nothing here imports TFX's components, since that takes each Beam worker 30 seconds.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from apache_beam.io.filesystems import FileSystems

from storage.file_systems import is_folder, is_remote, list_folder

_LOG = logging.getLogger(__name__)
_PREFIX = "images-"
_READERS = 8
"""Objects that are read from a bucket at once, to hide its latency."""


@contextmanager
def image_store(uri: str) -> Iterator[str]:
    """Yield a new folder for images, and delete it after the context.

    What an earlier try of the same task has left in `uri` is deleted first.

    Args:
        uri: An existing folder, which all workers can read and write.
    """
    _delete_stores(uri)
    folder = os.path.join(uri, f"{_PREFIX}{uuid.uuid4().hex}")
    FileSystems.mkdirs(folder)
    try:
        yield folder
    except BaseException:
        try:
            _delete(folder)
        except Exception:  # the first error is the one that matters
            _LOG.exception("%s: cannot be deleted", folder)
        raise
    _delete(folder)


def delete_left_behind(pipeline_root: str) -> None:
    """Delete the stores of runs that were killed, while no run is in progress; log any failure."""
    pairs = os.path.join(pipeline_root, "PairGen", "pairs")
    try:
        for execution in list_folder(pairs) if is_folder(pairs) else ():
            _delete_stores(os.path.join(pairs, execution))
    except Exception:  # leftovers take space, but no run needs them gone
        _LOG.warning("%s: images of earlier runs cannot be deleted", pairs, exc_info=True)


def _delete_stores(uri: str) -> None:
    for name in list_folder(uri) if is_folder(uri) else ():
        if name.startswith(_PREFIX):
            _delete(os.path.join(uri, name))


def _delete(folder: str) -> None:
    # An object store has no folders but names that begin with "folder/", and deletes in batches.
    FileSystems.delete([f"{folder}/" if is_remote(folder) else folder])


def write(record: bytes, folder: str) -> str:
    """Write a record to a new file and return its path; a repeated step writes another file."""
    path = os.path.join(folder, uuid.uuid4().hex)
    with FileSystems.create(path) as file:
        file.write(record)
    return path


def read(paths: Sequence[str]) -> list[bytes]:
    """Return the records in the files, in the order of the paths."""
    if not all(map(is_remote, paths)):
        return [_read(path) for path in paths]  # for local files, threads cost more than they gain
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(_read, paths))


def _read(path: str) -> bytes:
    with FileSystems.open(path) as file:
        return file.read()
