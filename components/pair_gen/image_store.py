"""Keeps images out of Beam's shuffles: each is written once, and read where a block needs it.

A block goes with the names of its images' files, some hundred bytes each in place of the pixels.
Imports none of TFX's components, as all that Beam's workers need.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import tensorflow as tf
from apache_beam.io.filesystems import FileSystems

from storage.file_systems import is_remote

_LOG = logging.getLogger(__name__)
_PREFIX = "images-"
_READERS = 8
"""Objects that are read from a bucket at once: each takes its time to answer."""


@contextmanager
def image_store(uri: str) -> Iterator[str]:
    """A folder for images, as long as a pipeline runs.

    Args:
        uri: An existing folder, which all workers can read and write.
    """
    folder = os.path.join(uri, f"{_PREFIX}{uuid.uuid4().hex}")
    FileSystems.mkdirs(folder)
    try:
        yield folder
    except BaseException:
        try:
            _delete(folder)
        except Exception:  # what went wrong before is what people need to know
            _LOG.exception("%s: cannot be deleted", folder)
        raise
    _delete(folder)


def delete_left_behind(pipeline_root: str) -> None:
    """Delete the stores of runs that were killed; none may be under way."""
    pattern = os.path.join(pipeline_root, "PairGen", "pairs", "*", f"{_PREFIX}*")
    try:
        for folder in tf.io.gfile.glob(pattern):
            tf.io.gfile.rmtree(folder)
    except tf.errors.OpError:  # there is nothing yet; and no run fails for what it has no need of
        _LOG.info("%s: nothing is deleted", pattern, exc_info=True)


def _delete(folder: str) -> None:
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
