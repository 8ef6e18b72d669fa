"""Images that browsers have sent, for as long as the interface runs; the oldest go first."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from images.canonical import UnusableImage, open_header
from serving.query_image import ImageError

MOST_BYTES = 64 * 2**20
"""Of one file."""

_MOST_FILES = 2000
_MOST_BYTES_TOGETHER = 4 * 2**30


class Upload(NamedTuple):
    """An image.

    Attributes:
        id: SHA-256 of the file, hexadecimal.
        name: The file's name, as the browser says.
        size: Bytes.
        width: Pixels, as they lie in the file.
        height: The same.
    """

    id: str
    name: str
    size: int
    width: int
    height: int


class Uploads:
    """Files in a folder; threads may share it.

    Args:
        folder: An empty folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._files: OrderedDict[str, Upload] = OrderedDict()

    def add(self, data: bytes, name: str) -> Upload:
        """Keep a file.

        Raises:
            ImageError: It is empty or no image.
        """
        name = file_name(name)
        try:
            if not data:
                raise UnusableImage("is empty")
            width, height = open_header(data).size
        except UnusableImage as error:
            raise ImageError(f"{name} {error}") from error
        found = Upload(hashlib.sha256(data).hexdigest(), name, len(data), width, height)
        with self._lock:
            self.path(found.id).write_bytes(data)
            self._files[found.id] = found
            self._files.move_to_end(found.id)
            self._forget_the_oldest()
        return found

    def get(self, id_: str) -> Upload:
        """Return an image.

        Raises:
            ImageError: It is not kept (any more).
        """
        with self._lock:
            if id_ not in self._files:
                raise ImageError("the image is not kept any more; drop it once more")
            self._files.move_to_end(id_)
            return self._files[id_]

    def read(self, id_: str) -> bytes:
        """Return an image's file; errors as `get`."""
        try:
            return self.path(self.get(id_).id).read_bytes()
        except FileNotFoundError as error:
            raise ImageError("the image is not kept any more; drop it once more") from error

    def path(self, id_: str) -> Path:
        """Return where an image's file lies."""
        return self._folder / id_

    def _forget_the_oldest(self) -> None:
        together = sum(one.size for one in self._files.values())
        while len(self._files) > _MOST_FILES or together > _MOST_BYTES_TOGETHER:
            id_, gone = self._files.popitem(last=False)
            self.path(id_).unlink(missing_ok=True)
            together -= gone.size


def file_name(name: str) -> str:
    """Return a name that a browser sent as the name of a file: no folders, nothing unprintable."""
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(char for char in last if char.isprintable()).strip().lstrip(".")
    return clean[:120] or "image"
