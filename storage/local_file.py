"""Makes files of any file system local, for libraries that read local files only."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from storage.file_systems import is_remote


@contextlib.contextmanager
def local_file(path: str) -> Iterator[str]:
    """Yield a local path of a file: its own, or a copy's that is deleted after the context.

    Args:
        path: A local path or an address.

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
        copy = os.path.join(folder, os.path.basename(path))  # readers go by the suffix
        try:
            tf.io.gfile.copy(path, copy)
        except tf.errors.NotFoundError as e:
            raise FileNotFoundError(path) from e
        yield copy
