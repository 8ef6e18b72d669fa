"""Measures one image: what its file says, how its pixels are distributed, how sharp it is."""

from __future__ import annotations

import contextlib
import hashlib
from datetime import datetime
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

from images import bit_depth
from images.canonical import (
    GREY_SIZE,
    MAX_PIXELS,
    Region,
    UnusableImage,
    canonical_image,
    number_of_frames,
    open_header,
)

THUMBNAIL = 64
"""Height and width of `Properties.thumbnail` in pixels."""

_MEASURED_SIDE = 512
"""Longer side in pixels at which brightness and sharpness are measured."""

_LARGE = 4 * _MEASURED_SIDE**2
"""Pixels from which a JPEG is decoded at a fraction of its size: 12 megapixels in 60 ms."""

_MAKE, _MODEL, _SOFTWARE, _EXIF, _TAKEN = 0x010F, 0x0110, 0x0131, 0x8769, 0x9003

_TABLE_AT_50 = 3736
"""Sum of the luminance quantization table of JPEG quality 50 (ITU-T T.81, table K.1)."""


class Properties(NamedTuple):
    """What is known of one image; grey levels are the file's own, such as 0 to 4095.

    Attributes:
        content_hash: SHA-256 of the file, hexadecimal.
        format: Pillow's name, such as `JPEG`.
        mode: `grey` or `colour`, by the file's header.
        depth: Bits of a channel in the file, such as 8 or 16.
        frames: Number of pages or frames.
        height: Rows in pixels, upright.
        width: Columns in pixels, upright.
        file_size: In bytes.
        camera: EXIF make and model; empty if unknown.
        software: EXIF software; empty if unknown.
        taken: EXIF date, `YYYY-MM-DD`; empty if unknown.
        quality: JPEG quality, 1 to 100, by libjpeg's scale; None for other formats.
        highest: The highest grey level that pixels can have, 255; 65535 if they are deeper.
        levels: Percentiles 0, 1, 5, 50, 95, 99 and 100 of the grey levels.
        at_maximum: Share of pixels within 2 % of the image's highest grey level.
        mean: Mean grey level.
        spread: Standard deviation of the grey levels.
        sharpness: Logarithm of the Laplacian's variance divided by the variance.
        colourfulness: Mean of the largest minus the smallest channel, as a share of the maximum.
        thumbnail: uint8 [64, 64, 3], RGB; deeper pixels are stretched to the range.
        grey: uint8 [256, 256], in which copies are compared (`CanonicalImage.grey`).
    """

    content_hash: str
    format: str
    mode: str
    depth: int
    frames: int
    height: int
    width: int
    file_size: int
    camera: str
    software: str
    taken: str
    quality: int | None
    highest: int
    levels: tuple[float, ...]
    at_maximum: float
    mean: float
    spread: float
    sharpness: float
    colourfulness: float
    thumbnail: np.ndarray
    grey: np.ndarray


class _Decoded(NamedTuple):
    """The pixels of an image.

    Attributes:
        pixels: RGB of a limited size, uint8, uint16 or float32 [h, w, 3].
        height: Of the whole upright image.
        width: Of the whole upright image.
        grey: As `Properties.grey`.
    """

    pixels: np.ndarray
    height: int
    width: int
    grey: np.ndarray


def measure(data: bytes, max_pixels: int = MAX_PIXELS, region: Region | None = None) -> Properties:
    """Return the properties of an encoded image.

    Args:
        data: A file's bytes.
        max_pixels: Height times width of the largest image that is accepted.
        region: What is measured, as if it were the whole image; None: all of it.

    Raises:
        UnusableImage: The bytes hold no complete image, or the image does not contain the region.
    """
    reduced = None if region else _decode_reduced(data, max_pixels)
    decoded = reduced or _decode_whole(data, max_pixels, region)
    pixels = _limited(decoded.pixels)
    with open_header(data) as header:
        described = _described(header, data)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    is_deep = pixels.dtype != np.uint8
    highest = 65535 if is_deep else 255
    colour = (pixels.max(2).astype(np.float32) - pixels.min(2)).mean() / highest
    square: np.ndarray = cv2.resize(pixels, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    levels: np.ndarray = np.percentile(grey, (0, 1, 5, 50, 95, 99, 100))  # type: ignore[assignment]
    lightest = float(grey.max())
    return Properties(
        content_hash=hashlib.sha256(data).hexdigest(),
        height=decoded.height,
        width=decoded.width,
        file_size=len(data),
        highest=highest,
        levels=tuple(levels.tolist()),
        at_maximum=float((grey >= lightest - 0.02 * abs(lightest)).mean()),
        mean=float(grey.mean()),
        spread=float(grey.std()),
        sharpness=_sharpness(_stretched(grey) if is_deep else grey),
        colourfulness=float(colour),
        thumbnail=_stretched(square).astype(np.uint8) if is_deep else square,
        grey=decoded.grey,
        **described,
    )


def _limited(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in the size at which they are measured."""
    scale = _MEASURED_SIDE / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    sides = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    return cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Return values whose own range is mapped to 0 to 255, float32 of the same shape."""
    low, high = float(values.min()), float(values.max())
    return (values.astype(np.float32) - low) * (255 / max(high - low, 1e-12))


def _decode_whole(data: bytes, max_pixels: int, region: Region | None) -> _Decoded:
    canonical = canonical_image(data, max_pixels, region)
    values: np.ndarray | None
    if canonical.depth is None:
        values = cv2.imdecode(np.frombuffer(canonical.data, np.uint8), cv2.IMREAD_COLOR)
    else:
        with open_header(canonical.data) as image:
            values = bit_depth.deep_values(canonical.data, image)
    if values is None:
        raise UnusableImage("cannot be decoded by OpenCV")
    if values.ndim == 2:
        values = cv2.cvtColor(values, cv2.COLOR_GRAY2RGB)
    pixels = values if canonical.depth else cv2.cvtColor(values, cv2.COLOR_BGR2RGB)
    if region:
        pixels = np.ascontiguousarray(region.of(pixels))
    height, width = pixels.shape[:2]
    return _Decoded(pixels, height, width, canonical.grey)


def _decode_reduced(data: bytes, max_pixels: int) -> _Decoded | None:
    """Decode a large JPEG at a fraction of its size; None for another, or a damaged one."""
    with contextlib.suppress(Exception), open_header(data) as image:
        width, height = image.size
        if image.format in ("JPEG", "MPO") and _LARGE < width * height <= max_pixels:
            image.draft("RGB", (_MEASURED_SIDE, _MEASURED_SIDE))
            upright = ImageOps.exif_transpose(image)
            if image.getexif().get(0x0112, 1) >= 5:
                width, height = height, width
            pixels = np.asarray(upright.convert("RGB"))
            small = cv2.resize(pixels, (GREY_SIZE, GREY_SIZE), interpolation=cv2.INTER_AREA)
            return _Decoded(pixels, height, width, cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    return None


def _described(header: Image.Image, data: bytes) -> dict[str, Any]:
    """Return what the header says."""
    tags: Any = {}
    details: Any = {}
    with contextlib.suppress(Exception):  # its parsers raise many kinds for damaged metadata
        tags = header.getexif()
        details = tags.get_ifd(_EXIF)
    camera = " ".join(_text(tags.get(tag)) for tag in (_MAKE, _MODEL)).strip()
    grey = header.mode in ("1", "L", "LA", "F", "I") or header.mode.startswith("I;16")
    return {
        "format": "JPEG" if header.format == "MPO" else str(header.format),
        "mode": "grey" if grey else "colour",
        "depth": _depth(header, data),
        "frames": number_of_frames(header),
        "camera": camera,
        "software": _text(tags.get(_SOFTWARE)),
        "taken": _day(_text(details.get(_TAKEN))),
        "quality": _quality(header),
    }


def _depth(header: Image.Image, data: bytes) -> int:
    """Return the bits of a channel; Pillow reduces those of a colour image to 8."""
    if header.format == "PNG":
        return max(8, data[24])
    if bits := getattr(header, "tag_v2", {}).get(bit_depth.BITS_PER_SAMPLE):
        return max(8, bits[0])
    if header.mode.startswith("I;16") or (header.format == "PPM" and header.mode == "I"):
        return 16
    return 32 if header.mode in ("I", "F") else 8


def _text(value: Any) -> str:
    return str(value).strip("\0 ") if value else ""


def _day(exif: str) -> str:
    try:
        return datetime.strptime(exif[:10], "%Y:%m:%d").strftime("%Y-%m-%d")
    except ValueError:
        return ""


def _quality(header: Image.Image) -> int | None:
    """Return the quality that scales libjpeg's standard table to this file's."""
    tables = getattr(header, "quantization", None)
    if not tables:
        return None
    scale = 100 * sum(tables[min(tables)]) / _TABLE_AT_50
    return max(1, round(5000 / scale if scale > 100 else 100 - scale / 2))


def _sharpness(grey: np.ndarray) -> float:
    """Return how much of the variance is fine detail, as a logarithm.

    The Laplacian's variance is the usual measure (Pech-Pacheco et al. 2000); dividing by the
    image's own variance keeps low contrast from counting as blur.
    """
    detail = cv2.Laplacian(grey, cv2.CV_32F).var()
    return float(np.log((detail + 1e-3) / (grey.var() + 1e-3)))
