"""Reads and lists local paths and addresses (gs://bucket/folder, s3://bucket/folder) alike.

Local paths need neither TensorFlow nor Beam, and nothing of them is imported before an address asks
for it. gs:// is read by TensorFlow, s3:// by boto3 (`storage.s3`).
"""

from __future__ import annotations

import contextlib
import errno
import glob as local_glob
import io
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from storage import s3
from storage.s3_access import SCHEME

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/")


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is an address, such as gs://bucket/folder.

    Also for a `Path`, which turns s3://bucket into s3:/bucket.
    """
    return bool(_SCHEME.match(os.fspath(path)))


def absolute(path: str | os.PathLike[str]) -> str:
    """Return a path as an absolute one; an address such as gs://bucket stays as it is."""
    return os.fspath(path) if is_remote(path) else os.path.abspath(path)


def is_s3(path: str) -> bool:
    """Return whether a path is an address on s3://."""
    return path.startswith(f"{SCHEME}://")


def open_file(path: str, mode: str = "r") -> IO[Any]:
    """Open a file; texts are UTF-8. One at an address is read as a whole.

    Args:
        path: A local path or an address.
        mode: `r`, `rb`, `w` or `wb`.

    Raises:
        FileNotFoundError: There is no such file to read.
        OSError: The file cannot be opened, or read from its address.
        StorageError: s3:// refuses, or does not answer; so do the other functions here.
    """
    encoding = None if "b" in mode else "utf-8"
    if not is_remote(path):
        return open(path, mode, encoding=encoding)
    if is_s3(path):
        content: io.BytesIO = _Upload(path) if "w" in mode else io.BytesIO(s3.read(path))
        return io.TextIOWrapper(content, encoding) if encoding else content
    gfile = _gfile()
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


def write_whole(path: str, text: str) -> None:
    """Write a file, or replace one: whoever reads it meanwhile sees the old or the new text.

    Raises:
        OSError: It cannot be written; the old one stays.
    """
    if is_remote(path):  # where files appear whole
        with open_file(path, "w") as file:
            file.write(text)
        return
    # In the same folder, since a rename does not cross file systems.
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, f".{name}-{uuid.uuid4().hex}")
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)


def is_folder(path: str) -> bool:
    """Return whether there is a folder of this path or address."""
    if is_s3(path):
        return s3.is_folder(path)
    return _gfile().isdir(path) if is_remote(path) else os.path.isdir(path)


def exists(path: str) -> bool:
    """Return whether there is a file or folder of this path or address."""
    if is_s3(path):
        return s3.exists(path)
    return _gfile().exists(path) if is_remote(path) else os.path.exists(path)


def modified(path: str) -> int:
    """Return when a file was modified, in nanoseconds."""
    if is_s3(path):
        return s3.status(path).mtime_nsec
    return _gfile().stat(path).mtime_nsec if is_remote(path) else os.stat(path).st_mtime_ns


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
    if is_s3(folder):
        folders, files = s3.list_folder(folder)
        return sorted([*(Entry(name, True) for name in folders), *(Entry(n, False) for n in files)])
    # Object stores list folders as "name/", and the folder itself as "".
    names = sorted(set(_gfile().listdir(folder)))
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


def glob(pattern: str) -> list[str]:
    """Return the paths that match a pattern, sorted."""
    if is_s3(pattern):
        return s3.glob(pattern)
    return sorted(_gfile().glob(pattern) if is_remote(pattern) else local_glob.glob(pattern))


def walk(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk a folder as `os.walk` does, following symbolic links."""
    if not is_remote(folder):
        yield from os.walk(folder, followlinks=True)
        return
    if is_s3(folder):
        folders, names = s3.list_folder(folder)
        yield folder, folders, names
        for name in folders:
            yield from walk(f"{folder.rstrip('/')}/{name}")
        return
    for place, folders, names in _gfile().walk(folder):
        folders[:] = [name.rstrip("/") for name in folders]
        yield place, folders, names


def download(address: str, target: str) -> None:
    """Copy a file, or a folder with all that is in it, from an address to a local path.

    Raises:
        FileNotFoundError: There is neither.
    """
    if is_s3(address):
        s3.download(address, target)
    elif is_folder(address):
        for place, _, names in walk(address):
            local = os.path.join(target, place[len(address) :].strip("/"))
            os.makedirs(local, exist_ok=True)
            for name in names:
                _gfile().copy(f"{place.rstrip('/')}/{name}", os.path.join(local, name))
    else:
        with open_file(address, "rb") as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy)


class _Upload(io.BytesIO):
    """A file whose content is written to an address when it is closed."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def close(self) -> None:
        if not self.closed:
            s3.write(self._address, self.getvalue())
        super().close()


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile
