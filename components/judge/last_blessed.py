"""Finds the last blessed model where no Resolver can, by what is served."""

from __future__ import annotations

import os

from storage.file_systems import exists, is_folder, open_file
from storage.model_versions import SAVED_MODEL, complete_versions

_FILES = ("fingerprint.pb", SAVED_MODEL)
"""Files that identify a SavedModel; the first, which older ones lack, covers the weights too."""


def last_served(base: str, candidate: str) -> str | None:
    """Return the newest complete version below a base path that is not the candidate itself.

    Served models were blessed; a model that is judged again may have been pushed before.

    Args:
        base: Folder of numbered versions, as TensorFlow Serving watches it.
        candidate: Directory of the SavedModel that is judged.

    Returns:
        A SavedModel's directory; None if there is none.
    """
    if not is_folder(base):
        return None
    own = _identity(candidate)
    return next((path for path in complete_versions(base).values() if _identity(path) != own), None)


def _identity(directory: str) -> bytes:
    for name in _FILES:
        path = os.path.join(directory, name)
        if exists(path):
            with open_file(path, "rb") as file:
                return file.read()
    return b""
