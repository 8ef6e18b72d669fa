"""Makes what is at an address local, for libraries that read and write local files only."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from storage import s3
from storage.file_systems import download, is_remote, is_s3

_ADDRESSES: dict[str, str] = {}
"""The address of each folder of `local_folders` in use."""


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """Yield a local path of a file or folder: its own, or a copy's, deleted after the context.

    Args:
        path: A local path or an address.

    Raises:
        FileNotFoundError: There is no such file or folder.
    """
    if not is_remote(path):
        if not os.path.exists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        yield path
        return
    with _temporary_folder() as folder:
        copy = os.path.join(folder, os.path.basename(path.rstrip("/")))  # readers go by the suffix
        download(path, copy)
        yield copy


@contextlib.contextmanager
def tensorflow_path(path: str) -> Iterator[str]:
    """Yield a path that TensorFlow reads: a copy's for s3://, deleted after the context.

    Args:
        path: Of a file or folder, local or an address.

    Raises:
        FileNotFoundError: There is nothing at an address of s3://.
    """
    if not is_s3(path):
        yield path
        return
    with local_copy(path) as copy:
        yield copy


@contextlib.contextmanager
def local_folders(read: Iterable[str], written: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield local folders in place of folders on s3://, by address; delete them after the context.

    Args:
        read: Addresses of folders to download; one that does not exist is empty.
        written: Addresses of folders to upload, unless the context ends with an error. In their
            JSON files, paths of the local folders become the addresses.

    Raises:
        StorageError: The store refuses, or does not answer.
    """
    read, written = list(dict.fromkeys(read)), list(dict.fromkeys(written))
    with _temporary_folder() as place:
        # Names of one length: none is the beginning of another.
        local = {
            address: os.path.join(place, f"{number:04d}")
            for number, address in enumerate(dict.fromkeys([*read, *written]))
        }
        for folder in local.values():
            os.mkdir(folder)
        for address in read:
            with contextlib.suppress(FileNotFoundError):
                s3.download(address, local[address])
        _ADDRESSES.update({folder: address.rstrip("/") for address, folder in local.items()})
        try:
            yield local
            for address in written:
                _name_addresses(Path(local[address]))
                s3.upload(local[address], address)
        finally:
            for folder in local.values():
                del _ADDRESSES[folder]


def with_addresses(text: str) -> str:
    """Return a text with the addresses of `local_folders` in place of their local paths."""
    for folder, address in list(_ADDRESSES.items()):
        text = text.replace(folder, address)
    return text


def _name_addresses(folder: Path) -> None:
    for file in folder.rglob("*.json"):
        text = file.read_text("utf-8", "surrogateescape")
        if (told := with_addresses(text)) != text:
            file.write_text(told, "utf-8", "surrogateescape")


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="siamese-")
