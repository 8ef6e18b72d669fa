"""Finds the last blessed model where no Resolver can, by what is served."""

from __future__ import annotations

import os

from serving.version_labels import labels_file, read_labels
from storage.file_systems import exists, is_folder, open_file
from storage.model_versions import SAVED_MODEL, complete_versions

_FILES = ("fingerprint.pb", SAVED_MODEL)
"""Files that identify a SavedModel; the first, which older ones lack, covers the weights too."""


def last_served(base: str, candidate: str) -> str | None:
    """Return the version that is served: the stable one, or without labels the newest one.

    Served models were blessed; a model that is judged again may have been pushed before, and is
    not compared with itself.

    Args:
        base: Folder of numbered versions, as TensorFlow Serving watches it.
        candidate: Directory of the SavedModel that is judged.

    Returns:
        A SavedModel's directory; None if there is none.
    """
    if not is_folder(base):
        return None
    own, versions = _identity(candidate), complete_versions(base)
    labels = read_labels(labels_file(base))
    if labels and labels.stable in versions:
        versions = {labels.stable: versions[labels.stable], **versions}
    return next((path for path in versions.values() if _identity(path) != own), None)


def _identity(directory: str) -> bytes:
    for name in _FILES:
        path = os.path.join(directory, name)
        if exists(path):
            with open_file(path, "rb") as file:
                return file.read()
    return b""
