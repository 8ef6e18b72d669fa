"""Reads and checks one file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from components.image_example_gen import value_range
from components.image_example_gen.sources import Source
from images.canonical import Region, UnusableImage
from images.copy_candidates import descriptor
from images.reading import read_image
from records import features
from records.example import make_example


class Inspected(NamedTuple):
    """The result of inspecting a file; no pixels, except 512 bytes of the shrunk image.

    Attributes:
        source: The file.
        problem: Why it is unusable, a phrase that completes "the file ...", such as "is empty";
            None for a usable image.
        content_hash: SHA-256 of the file, hexadecimal.
        reencoded: Whether the canonical image is a new PNG and not the file itself.
        descriptor: For finding near-duplicates (`copy_candidates.descriptor`).
        frames: Number of frames or pages of the file, of which the first is used.
        depth: The values of an image of more than eight bits; None for others.
    """

    source: Source
    problem: str | None = None
    content_hash: str = ""
    reencoded: bool = False
    descriptor: bytes = b""
    frames: int = 1
    depth: value_range.Summary | None = None


def inspect(
    source: Source, root: str, max_pixels: int, region: Mapping[str, int] | None = None
) -> Inspected:
    """Inspect one file; a problem with it is returned and not raised.

    Args:
        source: The file.
        root: The data root.
        max_pixels: Height times width of the largest image that is accepted.
        region: `image.region`, which the image must contain.
    """
    if source.problem:
        return Inspected(source, problem=source.problem)
    try:
        path = os.path.join(root, source.path)
        data, canonical = read_image(path, max_pixels, Region(**region) if region else None)
    except UnusableImage as e:
        return Inspected(source, problem=str(e))
    depth = canonical.depth
    return Inspected(
        source,
        content_hash=hashlib.sha256(data).hexdigest(),
        reencoded=canonical.reencoded,
        descriptor=descriptor(canonical.grey),
        frames=canonical.frames,
        depth=depth and value_range.summary(source.path, depth.is_float, depth.quantiles.tobytes()),
    )


def image_record(
    source: Source,
    root: str,
    max_pixels: int,
    found: value_range.ValueRange | None = None,
    fold: int = features.NO_FOLD,
) -> tf.train.Example:
    """Return the image record (`features.IMAGE_RECORD`) of a usable file.

    Args:
        source: The file.
        root: The data root.
        max_pixels: Height times width of the largest image that is accepted.
        found: The range of the data set; None if there is none.
        fold: See `features.FOLD`.

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
        {
            features.HEIGHT: [canonical.height],
            features.WIDTH: [canonical.width],
            features.FOLD: [fold],
        },
        {
            features.RANGE_LOW: [found.low if found else 0.0],
            features.RANGE_HIGH: [found.high if found else 0.0],
        },
    )


def _group_id(source: Source) -> bytes:
    name = source.path if source.group is None else f"group\n{source.group}"
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16].encode()
