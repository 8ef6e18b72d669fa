"""Tells addresses of other file systems from local paths, and lets TensorFlow and Beam read them.

gs:// is built into TensorFlow and Beam; s3:// needs a plug-in of each, see `storage.s3`. Imports
none of them until an address asks for it.
"""

from __future__ import annotations

import os
import re
from typing import IO, Any

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/")


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether it is an address, such as gs://bucket/folder, and no local path.

    A `Path`, which makes s3:/bucket of s3://bucket, is known as well.
    """
    return bool(_SCHEME.match(os.fspath(path)))


def absolute(path: str) -> str:
    """Return a path as an absolute one; an address such as gs://bucket stays as it is."""
    return path if is_remote(path) else os.path.abspath(path)


def load_plugins(*texts: str) -> None:
    """Load the plug-ins of the addresses that texts name; each process needs its own.

    Args:
        texts: Addresses, or texts with addresses in them, such as JSON.

    Raises:
        StorageError: A plug-in is not installed, or does not go with this TensorFlow.
    """
    if _name_s3(*texts):
        import storage.s3  # noqa: F401 - which is the plug-in's loading


def beam_arguments(*texts: str) -> list[str]:
    """Options that let the workers which Beam starts do the same."""
    return ["--beam_plugin=storage.s3"] if _name_s3(*texts) else []


def open_text(path: str, mode: str = "r") -> IO[Any]:
    """Open a UTF-8 text file: a local one without TensorFlow, any other by its file systems.

    Raises:
        FileNotFoundError: There is no such file to read.
    """
    if not is_remote(path):
        return open(path, mode, encoding="utf-8")
    load_plugins(path)
    import tensorflow as tf

    if mode == "r" and not tf.io.gfile.exists(path):  # it would be missed when it is read
        raise FileNotFoundError(path)
    return tf.io.gfile.GFile(path, mode)


def _name_s3(*texts: str) -> bool:
    return any("s3://" in text for text in texts)
