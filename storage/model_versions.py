"""Finds a model's versions: folders BASE/<number>/ that hold a complete SavedModel."""

from __future__ import annotations

import os

from storage.file_systems import is_remote, load_plugins

SAVED_MODEL = "saved_model.pb"
"""The last file to be copied: a folder without it is empty or still being written."""

_LARGEST_VERSION = 2**63 - 1


def complete_versions(base_path: str | os.PathLike[str]) -> dict[int, str]:
    """Return the path of each complete version in a folder, by number.

    Args:
        base_path: Folder, or address of one, with a sub-folder named by a number per version.

    Raises:
        OSError: A local folder cannot be listed.
        tf.errors.OpError: An address cannot be listed.
    """
    base_path = os.fspath(base_path)
    if not is_remote(base_path):
        names, exists = os.listdir(base_path), os.path.exists
    else:
        load_plugins(base_path)
        import tensorflow as tf

        names, exists = tf.io.gfile.listdir(base_path), tf.io.gfile.exists
    found = {}
    for name in (name.rstrip("/") for name in names):  # object stores list folders as "name/"
        if name.isascii() and name.isdigit() and int(name) <= _LARGEST_VERSION:
            path = os.path.join(base_path, name)
            if exists(os.path.join(path, SAVED_MODEL)):
                found[int(name)] = path
    return found


def newest_version(base_path: str | os.PathLike[str]) -> str | None:
    """Return the path of the newest complete version in a folder; None if there is none."""
    base_path = os.fspath(base_path)
    if not is_remote(base_path) and not os.path.isdir(base_path):
        return None
    versions = complete_versions(base_path)
    return versions[max(versions)] if versions else None
