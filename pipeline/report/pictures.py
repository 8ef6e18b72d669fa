"""Thumbnails of the images that a report shows, as data URIs."""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from PIL import Image

from base.errors import StorageError
from base.printable import text_of
from images.bit_depth import deep_values, depth, preview
from images.canonical import MAX_PIXELS, UnusableImage, canonical_image
from judging.judgement import Picture
from records import features
from records.reading import read_split
from storage.file_systems import is_remote, open_file

SIDE = 144
"""Maximum longer side of a thumbnail, in pixels."""

SMALL_SIDE = 80
"""The same for the many pictures of the gallery."""

SMALL_TOTAL = 1_000_000
"""Characters of all of these, so that the page stays below 4 MB."""

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
    found = {}
    for picture, data, ends in _read(set(pictures), examples, root, support_root):
        small = thumbnail(data, ends)
        if small:
            found[picture] = small
    return found


def small_thumbnails(
    pictures: Sequence[Picture], examples: str = "", root: str = "", support_root: str = ""
) -> dict[Picture, str]:
    """Return smaller thumbnails of those that are available, as data URIs.

    Args:
        pictures: The most important first: the last ones are left out of a page that they would
            make too large.
        examples: See `thumbnails`, also for the other arguments.
        root: Folder of the test images.
        support_root: Folder of the support images.
    """
    made = {}
    for picture, data, ends in _read(set(pictures), examples, root, support_root):
        if small := decoded(data, ends):
            encoded = io.BytesIO()
            small.thumbnail((SMALL_SIDE, SMALL_SIDE))
            small.save(encoded, "WEBP", quality=70)
            made[picture] = _uri("webp", encoded)
    found, left = {}, SMALL_TOTAL
    for picture in pictures:
        if picture in made:
            left -= len(made[picture])
            if left < 0:
                break
            found[picture] = made[picture]
    return found


def _read(
    pictures: set[Picture], examples: str, root: str, support_root: str
) -> Iterator[tuple[Picture, bytes, tuple[float, float] | None]]:
    """Yield canonical images and their ranges, see `thumbnails` for the arguments."""
    by_key: dict[str, list[Picture]] = {}
    for picture in pictures:
        by_key.setdefault(_key(picture.id, picture.source), []).append(picture)
    for id_, source, data, ends in _records(examples) if pictures and examples else ():
        # Within these records a file name identifies an image, too.
        for key in (_key(id_, source), _key("", source)):
            for picture in by_key.pop(key, ()):
                yield picture, data, ends
        if not by_key:
            break
    for picture in (one for some in by_key.values() for one in some):
        read = _file(root if picture.id else support_root, picture.source)
        if read and (canonical := _canonical(read)):
            yield picture, canonical, None


def thumbnail(data: bytes, ends: tuple[float, float] | None = None) -> Thumbnail | None:
    """Return a thumbnail of an encoded image; None if it cannot be decoded.

    Args:
        data: The canonical image, as in a record.
        ends: The values that become black and white in an image of more than eight bits, as in its
            record; None: the image's own.
    """
    small = decoded(data, ends)
    if small is None:
        return None
    tiny = max(small.size) <= _TINY
    small.thumbnail((SIDE, SIDE))
    encoded = io.BytesIO()
    if tiny:
        small.save(encoded, "PNG", optimize=True)
    else:
        small.save(encoded, "JPEG", quality=72, optimize=True)
    return Thumbnail(_uri("png" if tiny else "jpeg", encoded), *small.size, tiny)


def _uri(kind: str, encoded: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(encoded.getvalue()).decode('ascii')}"


def decoded(
    data: bytes, ends: tuple[float, float] | None = None, side: int = SIDE
) -> Image.Image | None:
    """Return a canonical image as RGB, for a picture of it; None if it cannot be decoded.

    Args:
        data: See `thumbnail`.
        ends: See `thumbnail`.
        side: Longer side of the picture, in pixels: what is returned is not much larger than twice
            that where decoding less is quicker.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
            warnings.simplefilter("ignore")  # of a size that the pipeline has let pass
            image.draft("RGB", (2 * side, 2 * side))  # of a JPEG, decodes no more than is needed
            return _preview(data, image, ends, side) or image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _preview(
    data: bytes, image: Image.Image, ends: tuple[float, float] | None, side: int
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
    scale = min(1.0, 2 * side / max(height, width))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return Image.fromarray(preview(values, size, low, high)[..., ::-1])


def _canonical(data: bytes) -> bytes | None:
    try:
        return canonical_image(data, MAX_PIXELS).data
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
            yield id_.decode("ascii"), text_of(source), image, (low, high)


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
