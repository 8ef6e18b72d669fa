"""Lists the files of folders, local or on s3:// and gs://."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from base.errors import UserError
from images.file_names import files_below
from storage.file_systems import absolute, is_folder, is_remote


class Listed(NamedTuple):
    """A file.

    Attributes:
        path: Its path or address.
        relative: Its path below the folder that was named, which comes first where several were.
    """

    path: str
    relative: str


def list_files(places: Sequence[str]) -> list[Listed]:
    """Return the files among `places`, and all in its folders that are not ignored, sorted.

    Args:
        places: Paths or addresses of files and folders.

    Raises:
        UserError: A folder has no file.
    """
    listed = []
    for place in places:
        name = os.path.basename(absolute(place).rstrip("/"))
        if not is_folder(place):
            listed.append(Listed(place, name))
            continue
        below = sorted(files_below(place))
        below = [path for path in below if is_remote(path) or os.path.isfile(path)]
        if not below:
            raise UserError(f"{place}: there is no file in this folder; name one with images")
        before = "" if len(places) == 1 else f"{name}/"
        listed += [Listed(path, before + path[len(place) :].lstrip("/")) for path in below]
    return listed
