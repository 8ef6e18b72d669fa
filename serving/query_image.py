"""Reads what users hand over as an image, and makes it canonical for the served model."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image

from base.errors import UserError
from base.printable import printable
from images import bit_depth
from images.canonical import UnusableImage, canonical_bytes, number_of_frames, open_header
from images.reading import read_bytes

QueryImage: TypeAlias = "str | os.PathLike[str] | bytes | IO[bytes] | np.ndarray | Image.Image"
"""A file (its local path, or its address on s3:// or gs://), an encoded image, a file object that
is open for reading bytes, an array, or Pillow's image. Arrays are uint8 [h, w], [h, w, 3] (RGB, not
OpenCV's BGR) or [h, w, 4] (RGBA); or uint16 [h, w] or [h, w, 3], or float [h, w], for models with
`image.range`."""

_BANDS = {np.uint8: (1, 3, 4), np.uint16: (1, 3), np.float32: (1,), np.float64: (1,)}
_BY_TIFF = ("CMYK", "F", "I")
_BY_PNG = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")


class ImageError(UserError):
    """An image that cannot be used; the message names it."""


def canonical_query(image: QueryImage) -> bytes:
    """Return an image as the served model reads it (`images.canonical`).

    Warns of a file with several frames or pages, of which the first is used.

    Raises:
        ImageError: It cannot be read, or is no image.
    """
    try:
        data = _encoded(image)
        canonical = canonical_bytes(data)
    except UnusableImage as e:
        raise ImageError(f"{name_of(image)} {e}") from e
    if canonical is not data and (frames := number_of_frames(open_header(data))) > 1:
        message = f"{name_of(image)} has {frames} frames or pages; the first is used"
        warnings.warn(message, stacklevel=3)
    return canonical


def canonical_queries(images: Sequence[QueryImage]) -> list[bytes]:
    """Return n images as `canonical_query` does."""
    return [canonical_query(image) for image in images]


def name_of(image: QueryImage) -> str:
    """Return how a message names an image."""
    if isinstance(image, bytes):
        return f"an image of {len(image)} bytes"
    if isinstance(image, np.ndarray):
        return f"an array {image.dtype} {list(image.shape)}"
    if isinstance(image, Image.Image):
        return f"an image of Pillow ({image.mode}, {image.width} x {image.height})"
    if isinstance(image, (str, os.PathLike)):
        return printable(os.fspath(image))
    return printable(str(getattr(image, "name", "a file object")))


def _encoded(image: QueryImage) -> bytes:
    if isinstance(image, bytes):
        return image
    if isinstance(image, (str, os.PathLike)):
        return read_bytes(os.fspath(image))
    if isinstance(image, np.ndarray):
        return _encoded_array(image)
    if isinstance(image, Image.Image):
        return _encoded_by_pillow(image)
    data: Any = image.read() if hasattr(image, "read") else None
    if not isinstance(data, bytes):
        raise UnusableImage(
            "is no image: give a path, bytes, a file object that is open for reading bytes ('rb'), "
            "an array, or Pillow's image"
        )
    return data


def _encoded_array(array: np.ndarray) -> bytes:
    bands = 1 if array.ndim == 2 else array.shape[-1] if array.ndim == 3 else 0
    if not array.size or bands not in _BANDS.get(array.dtype.type, ()):
        raise UnusableImage(
            "is no image; give uint8 [h, w], [h, w, 3] (RGB) or [h, w, 4] (RGBA), uint16 [h, w] or "
            "[h, w, 3], or float [h, w]"
        )
    array = array.reshape(array.shape[:2]) if bands == 1 else array
    try:
        return bit_depth.encode(array.astype(np.float32) if array.dtype.kind == "f" else array)
    except ImportError as e:
        raise UnusableImage("needs OpenCV: pip install opencv-python-headless") from e


def _encoded_by_pillow(image: Image.Image) -> bytes:
    options: dict[str, Any] = {"exif": image.getexif().tobytes()}
    if profile := image.info.get("icc_profile"):
        options["icc_profile"] = profile
    file = io.BytesIO()
    try:
        if image.mode in _BY_TIFF:
            image.save(file, "TIFF", **options)
        else:
            image = image if image.mode in _BY_PNG else image.convert("RGB")
            image.save(file, "PNG", compress_level=1, **options)
    except Exception as e:  # as lazily as it is read: any of its decoders' errors
        raise UnusableImage(f"cannot be read: {e}") from e
    return file.getvalue()
