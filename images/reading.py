"""Reads image files of any file system. Importing this loads no TensorFlow."""

from __future__ import annotations

import os

from images.canonical import CanonicalImage, Region, UnusableImage, canonical_image
from storage.file_systems import is_folder, is_remote, open_file


def read_image(
    path: str, max_pixels: int, region: Region | None = None
) -> tuple[bytes, CanonicalImage]:
    """Return a file's bytes and its canonical image.

    Args:
        path: A local path or an address.
        max_pixels: Height times width of the largest image that is accepted.
        region: As for `canonical_image`.

    Raises:
        UnusableImage: The file cannot be read, or holds no whole image.
    """
    data = read_bytes(path)
    canonical = canonical_image(data, max_pixels, region)
    if not canonical.reencoded:
        import tensorflow as tf  # here, since reading bytes alone must not load it

        # Transform decodes this one: a single damaged image would fail its whole batch.
        try:
            tf.io.decode_image(data, channels=3, expand_animations=False)
        except tf.errors.InvalidArgumentError as e:
            raise UnusableImage("is damaged: TensorFlow does not decode it") from e
    return data, canonical


def read_bytes(path: str) -> bytes:
    """Return a file's bytes.

    Args:
        path: A local path or an address.

    Raises:
        UnusableImage: The file cannot be read, or is not a regular file.
    """
    # In a bucket, asking first would cost requests for each image; a folder reads as empty there.
    if not is_remote(path) and os.path.exists(path) and not os.path.isfile(path):
        kind = "a folder, not a file" if os.path.isdir(path) else "not a regular file"
        raise UnusableImage(f"is {kind}")  # reading a pipe would block forever
    try:
        with open_file(path, "rb") as file:
            data = file.read()
    except OSError as e:
        if is_remote(path) and is_folder(path):
            raise UnusableImage("is a folder, not a file") from e
        raise UnusableImage(f"cannot be read: {e.strerror}") from e
    if not data and is_remote(path) and is_folder(path):
        raise UnusableImage("is a folder, not a file")
    return data
