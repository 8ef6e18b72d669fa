"""Measures one image: what its file says, how its pixels are distributed, how sharp it is."""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from datetime import datetime
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

from images.canonical import MAX_PIXELS, UnusableImage, canonical_image

THUMBNAIL = 64
"""Height and width of `Properties.thumbnail` in pixels."""

_MEASURED_SIDE = 512
"""Longer side in pixels at which brightness and sharpness are measured."""

_LARGE = 4 * _MEASURED_SIDE**2
"""Pixels from which a JPEG is decoded at a fraction of its size: 12 megapixels in 60 ms."""

_MAKE, _MODEL, _SOFTWARE, _EXIF, _TAKEN = 0x010F, 0x0110, 0x0131, 0x8769, 0x9003

_BITS_PER_SAMPLE = 258

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
        highest: The highest grey level that pixels can have, 255 or 65535.
        levels: Percentiles 0, 1, 5, 50, 95, 99 and 100 of the grey levels.
        at_maximum: Share of pixels within 2 % of the image's highest grey level.
        mean: Mean grey level.
        spread: Standard deviation of the grey levels.
        sharpness: Logarithm of the Laplacian's variance divided by the variance.
        colourfulness: Mean of the largest minus the smallest channel, as a share of the maximum.
        thumbnail: uint8 [64, 64, 3], RGB; deeper pixels are stretched to the range.
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


def measure(data: bytes, max_pixels: int = MAX_PIXELS) -> Properties:
    """Return the properties of an encoded image.

    Args:
        data: A file's bytes.
        max_pixels: Height times width of the largest image that is accepted.

    Raises:
        UnusableImage: The bytes hold no complete image.
    """
    pixels, size = _decode(data, max_pixels)
    with _opened(data) as header:
        described = _described(header, data)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    highest = int(np.iinfo(pixels.dtype).max)
    colour = (pixels.max(2).astype(np.float32) - pixels.min(2)).mean() / highest
    square: np.ndarray = cv2.resize(pixels, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    levels: np.ndarray = np.percentile(grey, (0, 1, 5, 50, 95, 99, 100))  # type: ignore[assignment]
    if highest > 255:
        low, high = int(square.min()), int(square.max())
        square = ((square - low) * (255 / max(high - low, 1))).astype(np.uint8)
    return Properties(
        content_hash=hashlib.sha256(data).hexdigest(),
        height=size[0],
        width=size[1],
        file_size=len(data),
        highest=highest,
        levels=tuple(levels.tolist()),
        at_maximum=float((grey >= 0.98 * grey.max()).mean()),
        mean=float(grey.mean()),
        spread=float(grey.std()),
        sharpness=_sharpness(grey),
        colourfulness=float(colour),
        thumbnail=square,
        **described,
    )


def _decode(data: bytes, max_pixels: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return RGB pixels of a limited size, and height and width of the upright image."""
    pixels, size = _decode_reduced(data, max_pixels) or _decode_whole(data, max_pixels)
    scale = _MEASURED_SIDE / max(pixels.shape[:2])
    if scale < 1:
        sides = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
        pixels = cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA)
    return pixels, size


def _decode_whole(data: bytes, max_pixels: int) -> tuple[np.ndarray, tuple[int, int]]:
    canonical = np.frombuffer(canonical_image(data, max_pixels).data, np.uint8)
    decoded = cv2.imdecode(canonical, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if decoded is None or decoded.dtype not in (np.uint8, np.uint16):
        raise UnusableImage("cannot be decoded by OpenCV")
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), decoded.shape[:2]


def _decode_reduced(data: bytes, max_pixels: int) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Decode a large JPEG at a fraction of its size; None for another, or a damaged one."""
    with contextlib.suppress(Exception), _opened(data) as image:
        width, height = image.size
        if image.format in ("JPEG", "MPO") and _LARGE < width * height <= max_pixels:
            image.draft("RGB", (_MEASURED_SIDE, _MEASURED_SIDE))
            upright = ImageOps.exif_transpose(image)
            turned = image.getexif().get(0x0112, 1) >= 5
            size = (width, height) if turned else (height, width)
            return np.asarray(upright.convert("RGB")), size
    return None


def _opened(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own limit of pixels is another one
        return Image.open(io.BytesIO(data))


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
        "frames": int(getattr(header, "n_frames", 1)),
        "camera": camera,
        "software": _text(tags.get(_SOFTWARE)),
        "taken": _day(_text(details.get(_TAKEN))),
        "quality": _quality(header),
    }


def _depth(header: Image.Image, data: bytes) -> int:
    """Return the bits of a channel; Pillow reduces those of a colour image to 8."""
    if header.format == "PNG":
        return max(8, data[24])
    if header.mode in ("I", "F"):
        return 32
    bits = getattr(header, "tag_v2", {}).get(_BITS_PER_SAMPLE) or (8,)
    return 16 if header.mode.startswith("I;16") else max(8, *bits[:1])


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
