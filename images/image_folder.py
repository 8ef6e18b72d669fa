"""A folder of images without classes. Importing this loads no TensorFlow."""

from __future__ import annotations

import hashlib
import os

from base.errors import DataError
from images.canonical import UnusableImage
from images.file_names import files_below
from images.reading import read_bytes
from storage.file_systems import is_folder


def files(folder: str, key: str) -> list[str]:
    """Return the paths of all files in a folder and below; hidden files and clutter are ignored.

    Args:
        folder: A local path or an address.
        key: The configuration's key that names it, for messages.

    Raises:
        DataError: There is no such folder, or nothing in it.
    """
    if not is_folder(folder):
        raise DataError(f"{key}: there is no folder {folder}")
    found = sorted(files_below(folder))
    if not found:
        raise DataError(f"{key}: {folder} holds no images")
    return found


def relative(path: str, folder: str) -> str:
    """Return the path of one of `files` within its folder."""
    return path[len(folder) :].lstrip("/") if path.startswith(folder) else os.path.basename(path)


def fingerprint(folder: str) -> str:
    """Return a hash of all paths and contents; empty if there are none."""
    if not is_folder(folder):
        return ""
    digest = hashlib.sha256()
    for path in sorted(files_below(folder)):
        try:
            data = read_bytes(path)
        except (UnusableImage, UnicodeEncodeError):  # excluded where it is read
            data = b""
        digest.update(os.fsencode(path) + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()[:16]
