"""Reads and checks one file."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

import tensorflow as tf
from tfx.dsl.io import fileio

from components.image_example_gen.sources import Source
from images.canonical import CanonicalImage, UnusableImage, canonical_image
from images.near_duplicates import Fingerprint, fingerprint
from records import features
from records.example import make_example
from storage.file_systems import is_remote


class Inspected(NamedTuple):
    """What is known of a file after a look at it; holds no pixels but a shrunk 1 KB.

    Attributes:
        source: The file.
        problem: Why it is unusable, a predicate; None for a usable image.
        content_hash: SHA-256 of the file, hexadecimal.
        reencoded: Whether it is passed on as a PNG made here.
        fingerprint: Tells near-duplicates.
    """

    source: Source
    problem: str | None = None
    content_hash: str = ""
    reencoded: bool = False
    fingerprint: Fingerprint | None = None


def inspect(source: Source, root: str, max_pixels: int) -> Inspected:
    """Look at one file; never raises for what may be wrong with it."""
    if source.problem:
        return Inspected(source, problem=source.problem)
    try:
        data, canonical = read_image(os.path.join(root, source.path), max_pixels)
    except UnusableImage as e:
        return Inspected(source, problem=str(e))
    return Inspected(
        source,
        content_hash=hashlib.sha256(data).hexdigest(),
        reencoded=canonical.reencoded,
        fingerprint=fingerprint(source.path, canonical.grey),
    )


def image_record(source: Source, root: str, max_pixels: int) -> tf.train.Example:
    """The image record (`features.IMAGE_RECORD`) of a usable file.

    Raises:
        UnusableImage: The file is unusable, or no longer what it was.
    """
    data, canonical = read_image(os.path.join(root, source.path), max_pixels)
    path = os.fsencode(source.path)
    content_hash = hashlib.sha256(data).hexdigest().encode()
    image_id = hashlib.sha256(path + b"\n" + content_hash).hexdigest()[:16].encode()
    return make_example(
        {
            features.IMAGE: [canonical.data],
            features.LABEL: [source.label.encode("utf-8", "surrogateescape")],
            features.SOURCE: [path],
            features.CONTENT_HASH: [content_hash],
            features.IMAGE_ID: [image_id],
        },
        {features.HEIGHT: [canonical.height], features.WIDTH: [canonical.width]},
    )


def read_image(path: str, max_pixels: int) -> tuple[bytes, CanonicalImage]:
    """A file's bytes, and the image that it holds.

    Raises:
        UnusableImage: It cannot be read, or holds none.
    """
    data = read_bytes(path)
    canonical = canonical_image(data, max_pixels)
    if not canonical.reencoded:
        # Transform decodes without a second chance: one damaged image would end the run there.
        try:
            tf.io.decode_image(data, channels=3, expand_animations=False)
        except tf.errors.InvalidArgumentError as e:
            raise UnusableImage("is damaged: TensorFlow does not decode it") from e
    return data, canonical


def read_bytes(path: str) -> bytes:
    """A file's bytes.

    Raises:
        UnusableImage: It cannot be read, or is no file.
    """
    try:
        # In a bucket, where a folder reads as empty, to ask first would cost requests an image.
        if not is_remote(path) and os.path.exists(path) and not os.path.isfile(path):
            what = "a folder, not a file" if os.path.isdir(path) else "no regular file"
            raise UnusableImage(f"is {what}")  # reading a pipe would wait for ever
        with fileio.open(path, "rb") as file:
            data = file.read()
    except (OSError, tf.errors.OpError, fileio.NotFoundError) as e:
        message = str(e).rpartition("; ")[2] or type(e).__name__
        raise UnusableImage(f"cannot be read: {message}") from e
    if not data and is_remote(path) and fileio.isdir(path):
        raise UnusableImage("is a folder, not a file")
    return data
