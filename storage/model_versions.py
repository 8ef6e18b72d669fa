"""Finds a model's versions: folders BASE/<number>/ that hold a complete SavedModel."""

from __future__ import annotations

import os

from storage.file_systems import is_folder, list_folder

SAVED_MODEL = "saved_model.pb"
"""The last file to be copied: a folder without it is empty or still being written."""

_LARGEST_VERSION = 2**63 - 1


def is_version_number(name: str) -> bool:
    """Return whether a folder of this name can be a version."""
    return name.isascii() and name.isdigit()  # isdigit alone also accepts what int does not: "²"


def complete_versions(base_path: str | os.PathLike[str]) -> dict[int, str]:
    """Return the path of each complete version in a folder, by number, the newest first.

    Args:
        base_path: Folder, or address of one, with a sub-folder named by a number per version.

    Raises:
        OSError: A local folder cannot be listed.
        tf.errors.OpError: An address cannot be listed.
    """
    base_path = os.fspath(base_path)
    names = [name for name in list_folder(base_path) if is_version_number(name)]
    found = {}
    for name in sorted(names, key=int, reverse=True):
        path = os.path.join(base_path, name)
        if int(name) <= _LARGEST_VERSION and is_folder(path) and SAVED_MODEL in list_folder(path):
            found[int(name)] = path
    return found


def newest_version(base_path: str | os.PathLike[str]) -> str | None:
    """Return the path of the newest complete version in a folder; None if there is none."""
    if not is_folder(os.fspath(base_path)):
        return None
    return next(iter(complete_versions(base_path).values()), None)
