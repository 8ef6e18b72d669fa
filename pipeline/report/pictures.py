"""Thumbnails of the images that a report shows, as data URIs."""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from PIL import Image

from base.errors import StorageError
from images.canonical import MAX_PIXELS, UnusableImage, canonical_image
from images.deep import deep_values, depth, preview
from judging.judgement import Picture
from records import features
from records.reading import read_split
from storage.file_systems import is_remote, open_file

SIDE = 144
"""Maximum longer side of a thumbnail, in pixels."""

_TINY = 64
"""Images up to this side stay PNG: JPEG would blur them."""


class Thumbnail(NamedTuple):
    """A small copy of an image.

    Attributes:
        uri: `data:image/...;base64,...`.
        width: In pixels.
        height: In pixels.
        tiny: Whether the page enlarges it without smoothing.
    """

    uri: str
    width: int
    height: int
    tiny: bool


def thumbnails(
    pictures: Iterable[Picture], examples: str = "", root: str = "", support_root: str = ""
) -> dict[Picture, Thumbnail]:
    """Return thumbnails of those pictures that are available.

    Pictures are looked up in the judged records by id (support images: by file name), and then
    among the files, which may have changed since.

    Args:
        pictures: The pictures to show.
        examples: URI of ImageExampleGen's examples; empty: none.
        root: Folder that the sources of pictures with an id are relative to; empty: unknown.
        support_root: The same for pictures without an id.
    """
    wanted = set(pictures)
    found: dict[Picture, Thumbnail] = {}
    by_key: dict[str, list[Picture]] = {}
    for picture in wanted:
        by_key.setdefault(_key(picture.id, picture.source), []).append(picture)
    for id_, source, data, ends in _records(examples) if wanted and examples else ():
        # Within these records a file name identifies an image, too.
        for key in (_key(id_, source), _key("", source)):
            for picture in by_key.pop(key, ()):
                if small := thumbnail(data, ends):
                    found[picture] = small
        if not by_key:
            break
    for picture in (one for some in by_key.values() for one in some):
        read = _file(root if picture.id else support_root, picture.source)
        if read and (small := _of_file(read)):
            found[picture] = small
    return found


def thumbnail(data: bytes, ends: tuple[float, float] | None = None) -> Thumbnail | None:
    """Return a thumbnail of an encoded image; None if it cannot be decoded.

    Args:
        data: The canonical image, as in a record.
        ends: The values that become black and white in an image of more than eight bits, as in its
            record; None: the image's own.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
            warnings.simplefilter("ignore")  # of a size that the pipeline has let pass
            image.draft("RGB", (2 * SIDE, 2 * SIDE))  # of a JPEG, decodes no more than is needed
            small = _preview(data, image, ends) or image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    tiny = max(small.size) <= _TINY
    small.thumbnail((SIDE, SIDE))
    encoded = io.BytesIO()
    if tiny:
        small.save(encoded, "PNG", optimize=True)
    else:
        small.save(encoded, "JPEG", quality=72, optimize=True)
    text = base64.b64encode(encoded.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/{'png' if tiny else 'jpeg'};base64,{text}", *small.size, tiny)


def _preview(
    data: bytes, image: Image.Image, ends: tuple[float, float] | None
) -> Image.Image | None:
    """Return an image of more than eight bits in eight; None for any other."""
    image.load()
    if (values := deep_values(data, image)) is None:
        return None
    if ends is None:
        quantiles = depth(values).quantiles
        low, high = float(quantiles[0]), float(quantiles[-1])
    else:  # as the network sees it; see `components.transform.pixels.to_pixels`
        low, high = ends if ends[1] > ends[0] else (0.0, 65535.0)
    height, width = values.shape[:2]
    scale = min(1.0, 2 * SIDE / max(height, width))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return Image.fromarray(preview(values, size, low, high)[..., ::-1])


def _of_file(data: bytes) -> Thumbnail | None:
    try:
        return thumbnail(canonical_image(data, MAX_PIXELS).data)
    except UnusableImage:
        return None


def _key(id_: str, source: str) -> str:
    return f"id {id_}" if id_ else f"file {source}"


def _records(examples: str) -> Iterator[tuple[str, str, bytes, tuple[float, float]]]:
    """Yield id, source, image and range of each record, test images first, then the support set."""
    for split in (features.TEST, features.TRAIN, features.VALIDATION):
        for record in read_split(examples, split):
            id_, source, image = (
                record[name].bytes_list.value[0]
                for name in (features.IMAGE_ID, features.SOURCE, features.IMAGE)
            )
            low, high = (
                next(iter(record[name].float_list.value), 0.0)  # none in records before 0.3
                for name in (features.RANGE_LOW, features.RANGE_HIGH)
            )
            # As `components.judge.exported_model.text` writes them.
            yield (
                id_.decode("ascii"),
                source.decode("utf-8", "backslashreplace"),
                image,
                (low, high),
            )


def _file(root: str, source: str) -> bytes | None:
    """Return a file's bytes; None if it cannot be read or is not below the root."""
    if not root or not source or os.path.isabs(source) or ".." in source.split("/"):
        return None
    path = os.path.join(root, source)
    if not is_remote(root) and not os.path.isfile(path):  # reading a pipe would block
        return None
    try:
        with open_file(path, "rb") as file:
            return file.read()
    except (OSError, StorageError):
        return None
