"""Images of more than eight bits a value: 16-bit and 32-bit integers, floating point.

Their values stay as they are until the preprocessing graph maps the data set's range to 0 to 255,
so that data of 10, 12 or 14 bits keep their levels. The canonical image is a 16-bit PNG, or, for
values that it cannot hold, a *float PNG*: an RGBA PNG of 8 bits whose four bytes per pixel are
those of a float32, marked by an empty chunk right after the header.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from images import colour_profile

FLOAT_CHUNK = b"flOT"
"""Type of the chunk that marks a float PNG: ancillary, private, not safe to copy."""

HEADER_END = 33
"""Bytes of a PNG up to the end of its first chunk, IHDR."""

QUANTILES = 1024
"""Values that a summary of an image's values holds."""

_LARGEST = 65535
_SAMPLED = 100_000
"""Pixels that the summary is computed from."""

BITS_PER_SAMPLE, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 338, 339
_ASSOCIATED, _UNASSOCIATED = 1, 2
"""Kinds of a TIFF's extra band: transparency that colours are already multiplied by, or not."""

_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda values: np.rot90(values, 2),
    4: np.flipud,
    5: lambda values: np.swapaxes(values, 0, 1),
    6: lambda values: np.rot90(values, -1),
    7: lambda values: np.swapaxes(np.rot90(values, 2), 0, 1),
    8: np.rot90,
}
"""What makes an array upright, by EXIF orientation."""


class Depth(NamedTuple):
    """A summary of the values of a deep image.

    Attributes:
        is_float: Whether 16 bits without sign do not hold them.
        quantiles: float32 [`QUANTILES`], evenly spaced quantiles.
    """

    is_float: bool
    quantiles: np.ndarray


def deep_values(data: bytes, image: Image.Image) -> np.ndarray | None:
    """Return the values of an image of more than eight bits; None for any other.

    Args:
        data: The encoded image.
        image: The same with its pixels loaded.

    Returns:
        uint16 [h, w] or [h, w, 3] (RGB), or float32 [h, w]; not yet upright. None also for a colour
        image with a profile other than sRGB: converting it leaves eight bits.
    """
    if is_float_png(data):
        return np.ascontiguousarray(image).view("<f4")[..., 0].astype(np.float32)
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode == "I":
        values = np.asarray(image)
        values = values.view(np.uint32) if _is_unsigned_tiff(image) else values
        fits = values.min() >= 0 and values.max() <= _LARGEST
        return values.astype(np.uint16 if fits else np.float32)
    if image.mode == "F":
        return np.asarray(image).astype(np.float32)
    if _may_be_deep_colour(data, image) and not colour_profile.has_other_profile(image):
        import cv2  # Pillow reads eight of the bits; clients may do without

        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        return _colours(decoded, _alpha_kind(image))
    return None


def is_float_png(data: bytes) -> bool:
    """Return whether the bytes are those of `encode` for float values."""
    return data.startswith(b"\x89PNG") and data[HEADER_END + 4 : HEADER_END + 8] == FLOAT_CHUNK


def is_plain_png(data: bytes, image: Image.Image) -> bool:
    """Return whether a deep image is already encoded as `encode` does it."""
    sixteen = image.format == "PNG" and data[24] == 16 and data[25] in (0, 2)
    return is_float_png(data) or (sixteen and "transparency" not in image.info)


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Return values [h, w] or [h, w, 3] turned according to an EXIF orientation."""
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(values)) if turn else values


def encode(values: np.ndarray) -> bytes:
    """Return a PNG of values.

    Args:
        values: uint8 [h, w, 3] (RGB), uint16 [h, w] or [h, w, 3] (RGB); or float32 [h, w], for
            which it is a float PNG.
    """
    if values.dtype == np.uint16 and values.ndim == 3:
        import cv2  # Pillow writes no such PNG

        return cv2.imencode(".png", values[..., ::-1])[1].tobytes()
    if values.dtype == np.float32:
        stored = np.ascontiguousarray(values, "<f4")[..., None].view(np.uint8)
        png = _png(stored)
        chunk = bytes(4) + FLOAT_CHUNK + zlib.crc32(FLOAT_CHUNK).to_bytes(4, "big")
        return png[:HEADER_END] + chunk + png[HEADER_END:]
    return _png(values)


def _png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", compress_level=1)  # 6 takes several times as long
    return file.getvalue()


def depth(values: np.ndarray) -> Depth:
    """Return the summary of an image's values."""
    pixels = values.reshape(-1, *values.shape[2:])
    if len(pixels) > _SAMPLED:
        # Evenly spaced pixels would miss stripes; the seed makes runs repeatable.
        pixels = pixels[np.random.default_rng(0).integers(0, len(pixels), _SAMPLED)]
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    return Depth(values.dtype != np.uint16, np.quantile(pixels, levels).astype(np.float32))


def preview(values: np.ndarray, size: tuple[int, int], low: float, high: float) -> np.ndarray:
    """Return a small copy for looking and comparing.

    Args:
        values: As `deep_values` returns them.
        size: Width and height of the copy.
        low: Value that becomes 0.
        high: Value that becomes 255.

    Returns:
        BGR uint8 [height, width, 3].
    """
    import cv2  # here, since clients need none

    # Resizing first makes no float32 copy of the whole image.
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    scaled = (small - low) * (255 / max(high - low, 1e-12))
    pixels = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return pixels[..., ::-1] if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)


def _is_unsigned_tiff(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    return tags.get(BITS_PER_SAMPLE) == (32,) and tags.get(_SAMPLE_FORMAT, (1,)) == (1,)


def _may_be_deep_colour(data: bytes, image: Image.Image) -> bool:
    """Return whether Pillow may have dropped the low bits of a colour image's values."""
    if image.format == "PNG":
        return data[24] == 16
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS_PER_SAMPLE, (1,))) > 8  # type: ignore[attr-defined]
    return image.format in ("JPEG2000", "PPM")


def _alpha_kind(image: Image.Image) -> int | None:
    """Return the kind of transparency that a fourth band is; None if it is something else."""
    if image.format != "TIFF":
        return _UNASSOCIATED
    kind = image.tag_v2.get(_EXTRA_SAMPLES, (0,))[0]  # type: ignore[attr-defined]
    return kind if kind in (_ASSOCIATED, _UNASSOCIATED) else None


def _colours(decoded: np.ndarray | None, alpha_kind: int | None) -> np.ndarray | None:
    """Return OpenCV's pixels as uint16 [h, w] or RGB [h, w, 3], transparency blended with white."""
    if decoded is None or decoded.dtype != np.uint16:
        return None
    if decoded.ndim == 2:
        return decoded
    rgb, alpha = decoded[..., 2::-1], decoded[..., 3:]
    if not alpha.size or alpha_kind is None:
        return np.ascontiguousarray(rgb)
    share = alpha.astype(np.float32) / _LARGEST
    colours = rgb * share if alpha_kind == _UNASSOCIATED else rgb.astype(np.float32)
    blended = np.minimum(np.rint(colours + _LARGEST * (1 - share)), _LARGEST)
    return np.ascontiguousarray(blended.astype(np.uint16))
