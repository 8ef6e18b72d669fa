"""Which files of a folder are taken for images: any ending will do, since the content decides."""

from __future__ import annotations

import os
from collections.abc import Iterator

from storage.file_systems import walk

NOT_UTF8 = "has a name that is not UTF-8; rename it"
"""Why a file is unusable whose path neither Beam nor TensorFlow can pass on."""

_OF_WINDOWS = ("thumbs.db", "desktop.ini")


def is_ignored(name: str) -> bool:
    """Return whether a file or folder of this name is hidden, or a file that Windows adds."""
    return name.startswith(".") or name.lower() in _OF_WINDOWS


def files_below(folder: str) -> Iterator[str]:
    """Yield the paths of all files in a folder and its sub-folders, except ignored ones.

    Args:
        folder: A local path or an address; nothing is yielded for one that does not exist.
    """
    for place, folders, names in walk(folder):
        folders[:] = [name for name in folders if not is_ignored(name)]
        yield from (os.path.join(place, name) for name in names if not is_ignored(name))
