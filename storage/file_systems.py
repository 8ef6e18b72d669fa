"""Reads and lists local paths and addresses (gs://bucket/folder, s3://bucket/folder) alike.

Local paths need neither TensorFlow nor Beam, and nothing of them is imported before an address asks
for it. gs:// is built into both; s3:// needs a plug-in of each, see `storage.s3`.
"""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/")


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is an address, such as gs://bucket/folder.

    Also for a `Path`, which turns s3://bucket into s3:/bucket.
    """
    return bool(_SCHEME.match(os.fspath(path)))


def absolute(path: str | os.PathLike[str]) -> str:
    """Return a path as an absolute one; an address such as gs://bucket stays as it is."""
    return os.fspath(path) if is_remote(path) else os.path.abspath(path)


def load_plugins(*texts: str) -> None:
    """Load the plug-ins of the addresses that texts name; each process needs its own.

    Args:
        texts: Addresses, or texts that contain addresses, such as JSON.

    Raises:
        StorageError: A plug-in is not installed, or does not fit this TensorFlow.
    """
    if _name_s3(*texts):
        import storage.s3  # noqa: F401 - importing it loads the plug-in


def beam_arguments(*texts: str) -> list[str]:
    """Return the options that make the workers which Beam starts load the same plug-ins."""
    return ["--beam_plugin=storage.s3"] if _name_s3(*texts) else []


def open_file(path: str, mode: str = "r") -> IO[Any]:
    """Open a file; texts are UTF-8. One at an address is read as a whole.

    Args:
        path: A local path or an address.
        mode: `r`, `rb`, `w` or `wb`.

    Raises:
        FileNotFoundError: There is no such file to read.
        OSError: The file cannot be opened, or read from its address.
    """
    encoding = None if "b" in mode else "utf-8"
    if not is_remote(path):
        return open(path, mode, encoding=encoding)
    gfile = _gfile(path)
    if "w" in mode:
        return gfile.GFile(path, mode)
    import tensorflow as tf

    try:
        content = io.BytesIO(gfile.GFile(path, "rb").read())
    except tf.errors.NotFoundError as e:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from e
    except tf.errors.OpError as e:
        raise OSError(errno.EIO, e.message, path) from e
    return io.TextIOWrapper(content, encoding) if encoding else content


def is_folder(path: str) -> bool:
    """Return whether there is a folder of this path or address."""
    return _gfile(path).isdir(path) if is_remote(path) else os.path.isdir(path)


class Entry(NamedTuple):
    """A name in a folder, and whether it is a folder itself."""

    name: str
    is_folder: bool


def list_entries(folder: str) -> list[Entry]:
    """Return what is in a folder, by name, without a request for each of its files.

    Raises:
        OSError: A local folder cannot be listed.
    """
    if not is_remote(folder):
        # TensorFlow does not list a local folder in which a name is not UTF-8.
        with os.scandir(folder) as entries:
            return sorted(Entry(entry.name, _is_local_folder(entry)) for entry in entries)
    # Object stores list folders as "name/", and the folder itself as "".
    names = sorted(set(_gfile(folder).listdir(folder)))
    return [Entry(name.rstrip("/"), name.endswith("/")) for name in names if name.rstrip("/")]


def _is_local_folder(entry: os.DirEntry[str]) -> bool:
    # DirEntry.is_dir raises for a link to itself.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def list_folder(folder: str) -> list[str]:
    """Return the names in a folder, sorted.

    Raises:
        OSError: A local folder cannot be listed.
    """
    return sorted({entry.name for entry in list_entries(folder)})


def walk(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk a folder as `os.walk` does, following symbolic links."""
    if not is_remote(folder):
        yield from os.walk(folder, followlinks=True)
        return
    for place, folders, names in _gfile(folder).walk(folder):
        folders[:] = [name.rstrip("/") for name in folders]
        yield place, folders, names


def _gfile(path: str) -> Any:
    load_plugins(path)
    import tensorflow as tf

    return tf.io.gfile


def _name_s3(*texts: str) -> bool:
    return any("s3://" in text for text in texts)
