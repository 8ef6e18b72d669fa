"""Reads and checks one file."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

import tensorflow as tf

from components.image_example_gen.sources import Source
from images.canonical import UnusableImage
from images.near_duplicates import Fingerprint, fingerprint
from images.reading import read_image
from records import features
from records.example import make_example


class Inspected(NamedTuple):
    """The result of inspecting a file; no pixels, except 1 KB of the shrunk image.

    Attributes:
        source: The file.
        problem: Why it is unusable, a phrase that completes "the file ...", such as "is empty";
            None for a usable image.
        content_hash: SHA-256 of the file, hexadecimal.
        reencoded: Whether the canonical image is a new PNG and not the file itself.
        fingerprint: For finding near-duplicates.
        frames: Number of frames or pages of the file, of which the first is used.
    """

    source: Source
    problem: str | None = None
    content_hash: str = ""
    reencoded: bool = False
    fingerprint: Fingerprint | None = None
    frames: int = 1


def inspect(source: Source, root: str, max_pixels: int) -> Inspected:
    """Inspect one file; a problem with it is returned and not raised."""
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
        frames=canonical.frames,
    )


def image_record(source: Source, root: str, max_pixels: int) -> tf.train.Example:
    """Return the image record (`features.IMAGE_RECORD`) of a usable file.

    Raises:
        UnusableImage: The file is unusable, or has changed since it was inspected.
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
            features.GROUP: [_group_id(source)],
        },
        {features.HEIGHT: [canonical.height], features.WIDTH: [canonical.width]},
    )


def _group_id(source: Source) -> bytes:
    name = source.path if source.group is None else f"group\n{source.group}"
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16].encode()
