"""Reads unlabelled images (`data.unlabelled`) as ImageExampleGen and Transform read the others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from base.errors import DataError
from base.printable import printable
from images import image_folder
from images.canonical import UnusableImage
from images.file_names import NOT_UTF8
from images.reading import read_image

KEY = "data.unlabelled"
"""The configuration's key of the folder."""

MOST = 2000
"""Images at most; of more, every n-th file is read. Each is compared with the labelled ones."""

_BATCH = 32
_NAMED = 3


class SafePixels(Protocol):
    """As `trainer.export.safe_pixels.SafePixels`."""

    @property
    def pixels(self) -> tf.Tensor:
        """uint8 [n, height, width, 3]."""

    @property
    def valid(self) -> tf.Tensor:
        """Bool [n]."""

    @property
    def reason(self) -> tf.Tensor:
        """String [n], empty for valid ones."""


class UnlabelledImages(NamedTuple):
    """Images without a class, and where they are from.

    Attributes:
        folder: That they were read from.
        pixels: uint8 [u, height, width, 3].
        sources: The files, relative to the folder.
        content_hashes: SHA-256 of the files, hexadecimal.
        excluded: Files that are no usable images, with the reason.
        files: Number of files in the folder.
    """

    folder: str
    pixels: np.ndarray
    sources: list[str]
    content_hashes: list[bytes]
    excluded: dict[str, str]
    files: int

    def digest(self) -> str:
        """Return a hash of all contents, in whatever order: 16 hexadecimal digits."""
        return hashlib.sha256(b"\n".join(sorted(self.content_hashes))).hexdigest()[:16]

    def lineage(self) -> dict[str, Any]:
        """Return what the images were, as JSON types."""
        hashes = [one.decode() for one in self.content_hashes]
        return {
            "folder": self.folder,
            "files": self.files,
            "digest": self.digest(),
            "images": dict(zip(map(printable, self.sources), hashes, strict=True)),
            "excluded": {printable(path): reason for path, reason in self.excluded.items()},
        }


def read_unlabelled(
    folder: str, decode: Callable[[tf.Tensor], SafePixels], max_pixels: int
) -> UnlabelledImages:
    """Read the images of a folder, identical files once.

    Args:
        folder: A local path or an address.
        decode: Encoded images, string [n], to pixels.
        max_pixels: Height times width of the largest image that is read.

    Raises:
        DataError: There is no such folder, or no usable image in it.
    """
    files = image_folder.files(folder, KEY)
    some = np.unique(np.linspace(0, len(files) - 1, min(MOST, len(files))).astype(int))
    encoded: dict[str, bytes] = {}
    hashes: dict[bytes, str] = {}
    excluded: dict[str, str] = {}
    for path in (files[i] for i in some):
        name = image_folder.relative(path, folder)
        try:
            data, canonical = _read(path, max_pixels)
        except UnusableImage as e:
            excluded[name] = str(e)
            continue
        content_hash = hashlib.sha256(data).hexdigest().encode()
        if content_hash not in hashes:
            hashes[content_hash] = name
            encoded[name] = canonical
    of_file = {name: content_hash for content_hash, name in hashes.items()}
    names, pixels = list(encoded), []
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        found = decode(tf.constant([encoded[name] for name in batch]))
        valid = found.valid.numpy()
        pixels.append(found.pixels.numpy()[valid])
        for name, reason in zip(batch, found.reason.numpy().tolist(), strict=True):
            if reason:
                excluded[name] = reason.decode()
    kept = [name for name in names if name not in excluded]
    if not kept:
        _refuse(folder, excluded)
    content_hashes = [of_file[name] for name in kept]
    return UnlabelledImages(
        folder, np.concatenate(pixels), kept, content_hashes, excluded, len(files)
    )


def _read(path: str, max_pixels: int) -> tuple[bytes, bytes]:
    """Return the bytes of a file and of its canonical image."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as e:
        raise UnusableImage(NOT_UTF8) from e
    data, canonical = read_image(path, max_pixels)
    return data, canonical.data


def _refuse(folder: str, excluded: dict[str, str]) -> None:
    named = [f"{printable(path)}: {reason}" for path, reason in list(excluded.items())[:_NAMED]]
    if len(excluded) > _NAMED:
        named.append(f"and {len(excluded) - _NAMED} more")
    raise DataError(
        f"{KEY}: none of the {len(excluded)} files in {folder} can be used as an image: "
        f"{'; '.join(named)}. Put images there, or leave {KEY} out"
    )
