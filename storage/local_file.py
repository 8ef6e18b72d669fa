"""Gives files of any file system as local ones, for libraries that read no other."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from storage.file_systems import is_remote


@contextlib.contextmanager
def local_file(path: str) -> Iterator[str]:
    """A local path for a file: its own, or that of a copy which lasts as long as the context.

    Args:
        path: A local path, or an address that TensorFlow reads.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if not is_remote(path):
        if not os.path.isfile(path):
            raise FileNotFoundError(path)
        yield path
        return
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, os.path.basename(path))  # its ending says what it holds
        try:
            tf.io.gfile.copy(path, copy)
        except tf.errors.NotFoundError as e:
            raise FileNotFoundError(path) from e
        yield copy
