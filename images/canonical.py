"""Makes an image canonical: TensorFlow and OpenCV decode it to the same upright RGB pixels.

TensorFlow's decoders ignore EXIF rotation, and do not read WebP, TIFF or CMYK as OpenCV does. So a
file's bytes are kept if TensorFlow decodes them to the upright RGB pixels, and are replaced by a
PNG of those pixels otherwise. ImageExampleGen does this to training images and the client to
queries, so that both are treated alike and the served graph sees canonical bytes only.

Imports neither TFX nor TensorFlow.
"""

from __future__ import annotations

import functools
import io
import warnings
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 100_000_000
"""Default limit of height times width; 300 MB as RGB."""

FORMATS = (
    "JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA", "PCX",
    "ICO", "SGI", "SUN",
)  # fmt: skip
"""Pillow's names. Others are hardly photographs, and one, EPS, would start an interpreter."""

_EXIF_ORIENTATION = 0x0112
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")
_HEIF = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc")
_TURNED_BY_OPENCV = ("JPEG", "MPO", "PNG", "TIFF")


class UnusableImage(ValueError):
    """Not a complete image; the message completes "the file ...", such as "is empty"."""


class CanonicalImage(NamedTuple):
    """An image that `tf.io.decode_image(channels=3)` decodes to upright RGB pixels.

    Attributes:
        data: The encoded image, a JPEG, PNG or BMP.
        height: Rows in pixels.
        width: Columns in pixels.
        reencoded: Whether `data` is a new PNG and not the original bytes.
        grey: uint8 [32, 32], the image shrunk, for perceptual hashing.
    """

    data: bytes
    height: int
    width: int
    reencoded: bool
    grey: np.ndarray


def canonical_image(data: bytes, max_pixels: int = MAX_PIXELS) -> CanonicalImage:
    """Check an encoded image and make it canonical.

    Transparency is blended with white, 16-bit values are reduced to their high byte, and of several
    frames the first is used.

    Args:
        data: A file's bytes, of one of `FORMATS`.
        max_pixels: Height times width; a larger image is refused by its header, before decoding.

    Raises:
        UnusableImage: The bytes are empty, not an image, truncated, or have too many pixels.
    """
    if not data:
        raise UnusableImage("is empty")
    header = _open(data)
    width, height = header.size
    if width * height > max_pixels:
        raise UnusableImage(
            f"has {width} x {height} pixels, more than data.max_pixels ({max_pixels}) allows"
        )
    try:
        # OpenCV decodes half a JPEG without an error; Pillow does not.
        header.load()
        orientation = header.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception as e:  # its decoders raise many kinds for damaged data
        raise UnusableImage(f"is cut off or damaged: {e}") from e
    untouched = orientation in (0, 1) and _tensorflow_reads(data, header)
    transparent = "A" in header.getbands() or "transparency" in header.info
    pixels = None
    if (
        not transparent
        and header.format != "GIF"
        and (orientation in (0, 1) or header.format in _TURNED_BY_OPENCV)
    ):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None or pixels.dtype != np.uint8 or pixels.ndim != 3:
        pixels = _by_pillow(header)
    height, width = pixels.shape[:2]
    grey = cv2.cvtColor(
        cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
    )
    if not untouched:
        data = cv2.imencode(".png", pixels)[1].tobytes()
    return CanonicalImage(data, height, width, not untouched, grey)


@functools.cache
def _readable_formats() -> tuple[str, ...]:
    """Return those of `FORMATS` that this build of Pillow reads."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _open(data: bytes) -> Image.Image:
    """Return the image with its header read and no pixel decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own limit of pixels is another one
        try:
            return Image.open(io.BytesIO(data), formats=_readable_formats())
        except UnidentifiedImageError as e:
            if data[4:12] in _HEIF:
                raise UnusableImage("is a HEIF (HEIC) image; convert it to JPEG") from e
            if data.startswith(_BEGINNINGS):
                raise UnusableImage("is cut off or damaged: its header is not whole") from e
            raise UnusableImage("is no image, or of a kind that cannot be read") from e
        except Image.DecompressionBombError as e:
            raise UnusableImage(f"has far too many pixels: {e}") from e
        except Exception as e:  # its parsers raise many kinds for damaged headers
            raise UnusableImage(f"is cut off or damaged: {e}") from e


def _tensorflow_reads(data: bytes, header: Image.Image) -> bool:
    """Return whether TensorFlow decodes the bytes to the same pixels, except for rotation."""
    if header.format in ("JPEG", "MPO"):  # phones append a preview or a depth map: MPO
        return header.mode in ("RGB", "L") and data.endswith(b"\xff\xd9")
    if header.format == "PNG":
        bit_depth = data[24]
        return (
            ((bit_depth == 8 and header.mode in ("RGB", "L")) or header.mode == "P")
            and "transparency" not in header.info
            and getattr(header, "n_frames", 1) == 1
        )
    if header.format == "BMP":
        bits, compression = int.from_bytes(data[28:30], "little"), data[30:34]
        return bits == 24 and compression == b"\0\0\0\0"
    return False


def _by_pillow(image: Image.Image) -> np.ndarray:
    """Return upright BGR, uint8 [h, w, 3], with transparency blended with white."""
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    flat = Image.new("RGBA", upright.size, "white")
    flat.alpha_composite(upright)
    return np.ascontiguousarray(np.asarray(flat.convert("RGB"))[..., ::-1])
