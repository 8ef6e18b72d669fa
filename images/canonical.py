"""Makes an image canonical: TensorFlow decodes it to upright RGB pixels.

TensorFlow's decoders ignore EXIF rotation and colour profiles, and do not read WebP, TIFF or CMYK
as Pillow does. So a file's bytes are kept if TensorFlow decodes them to the upright pixels in sRGB,
and are replaced by a PNG of those pixels otherwise. Images of more than eight bits keep all their
values (`images.bit_depth`). ImageExampleGen does this to training images
and the client to queries, so that both are treated alike and the served graph sees canonical bytes
only.

Imports neither TFX nor TensorFlow, and OpenCV only for what is said to need it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from images import bit_depth, colour_profile

MAX_PIXELS = 100_000_000
"""Default limit of height times width; 300 MB as RGB."""

GREY_SIZE = 256
"""Height and width of `CanonicalImage.grey`: a scratch of a few pixels shows."""

FORMATS = (
    "JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA", "PCX",
    "ICO", "SGI", "SUN", "HEIF",
)  # fmt: skip
"""Pillow's names. Others are hardly photographs, and one, EPS, would start an interpreter. HEIF
needs the extra `heif`."""

_EXIF_ORIENTATION = 0x0112
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")
_TIFF = (b"II*\0", b"MM\0*")
_HEIF = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc")


class UnusableImage(ValueError):
    """Not a complete image; the message completes "the file ...", such as "is empty"."""


class Region(NamedTuple):
    """A rectangle of an image, in pixels of the upright original (`image.region`)."""

    x: int
    y: int
    width: int
    height: int

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """Return the region of pixels [h, w, ...].

        Raises:
            UnusableImage: The image does not contain it.
        """
        height, width = pixels.shape[:2]
        right, bottom = self.x + self.width, self.y + self.height
        if width < right or height < bottom:
            raise UnusableImage(
                f"has {width} x {height} pixels, but image.region ends at {right} x {bottom}"
            )
        return pixels[self.y : bottom, self.x : right]


class CanonicalImage(NamedTuple):
    """An image that `components.transform.pixels` decodes to upright RGB pixels.

    Attributes:
        data: The encoded image, a JPEG, PNG or BMP.
        height: Rows in pixels.
        width: Columns in pixels.
        reencoded: Whether `data` is a new PNG and not the original bytes.
        frames: Number of frames or pages, of which `data` is the first.
        grey: uint8 [256, 256], the image, or a region of it, in grey and resized: for finding
            copies of it.
        depth: The summary of an image, or of a region, of more than eight bits; None for others.
    """

    data: bytes
    height: int
    width: int
    reencoded: bool
    frames: int
    grey: np.ndarray
    depth: bit_depth.Depth | None = None


def canonical_image(
    data: bytes, max_pixels: int = MAX_PIXELS, region: Region | None = None
) -> CanonicalImage:
    """Check an encoded image, make it canonical and summarize it; needs OpenCV.

    Colours are converted to sRGB, transparency is blended with white, and of several frames the
    first is used. Images of more than eight bits keep their values.

    Args:
        data: A file's bytes, of one of `FORMATS`.
        max_pixels: Height times width; a larger image is refused by its header, before decoding.
        region: What the image must contain, and `grey` and `depth` describe; None for all.

    Raises:
        UnusableImage: The bytes are empty, not an image, truncated, or have too many pixels,
            values that are no numbers, or no such region.
    """
    image = _small_enough(data, max_pixels)
    with _damage_reported():
        image.load()
        frames = number_of_frames(image)
        values = _upright_values(data, image)
        kept = _is_canonical(data, image)
        encoded = data if kept else bit_depth.encode(values)
        height, width = values.shape[:2]
        described = _summary(region.of(values) if region else values)
        return CanonicalImage(encoded, height, width, not kept, frames, *described)


def canonical_bytes(data: bytes, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return the bytes of `canonical_image`, which has arguments and errors.

    Needs OpenCV only for colour images of more than eight bits that are not PNG or have
    transparency.
    """
    image = _small_enough(data, max_pixels)
    try:
        with _damage_reported():
            image.load()
            kept = _is_canonical(data, image)
            # A float PNG may have values that are no numbers.
            if kept and not bit_depth.is_float_png(data):
                return data
            values = _upright_values(data, image)
            return data if kept else bit_depth.encode(values)
    except ImportError as e:
        raise UnusableImage(
            "has colours of more than eight bits; reading them needs OpenCV, pip install "
            "opencv-python-headless"
        ) from e


def _small_enough(data: bytes, max_pixels: int) -> Image.Image:
    """Return an image with its header read."""
    if not data:
        raise UnusableImage("is empty")
    image = open_header(data)
    width, height = image.size
    if width * height > max_pixels:
        raise UnusableImage(
            f"has {width} x {height} pixels, more than data.max_pixels ({max_pixels}) allows"
        )
    return image


@contextlib.contextmanager
def _damage_reported() -> Iterator[None]:
    try:
        yield
    except (UnusableImage, ImportError):
        raise
    except Exception as e:  # the decoders raise many kinds for damaged data
        raise UnusableImage(f"is cut off or damaged: {e}") from e


def _is_canonical(data: bytes, image: Image.Image) -> bool:
    """Return whether TensorFlow decodes the bytes to the values of `_upright_values`."""
    if image.getexif().get(_EXIF_ORIENTATION, 1) not in (0, 1):
        return False
    if bit_depth.is_plain_png(data, image) and number_of_frames(image) > 1:
        return False
    if bit_depth.is_plain_png(data, image) and image.mode != "RGB":
        return True  # measured values, whatever their profile
    if colour_profile.has_other_profile(image):
        return False
    return bit_depth.is_plain_png(data, image) or _tensorflow_reads(data, image)


def _upright_values(data: bytes, image: Image.Image) -> np.ndarray:
    """Return RGB in sRGB, uint8 [h, w, 3], or what `bit_depth.deep_values` does, upright."""
    values = bit_depth.deep_values(data, image)
    if values is None:
        return _pixels(image)
    if not np.isfinite(values).all():
        raise UnusableImage("has values that are NaN or infinite; replace them by numbers")
    return bit_depth.upright(values, image.getexif().get(_EXIF_ORIENTATION, 1))


def _summary(values: np.ndarray) -> tuple[np.ndarray, bit_depth.Depth | None]:
    """Return the fields `grey` and `depth` of an image."""
    import cv2  # here, since clients need none

    size = (GREY_SIZE, GREY_SIZE)
    if values.dtype == np.uint8:
        small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), None
    depth = bit_depth.depth(values)
    # By the image's own range: that of the data set is not known yet.
    low, high = float(depth.quantiles[0]), float(depth.quantiles[-1])
    return cv2.cvtColor(bit_depth.preview(values, size, low, high), cv2.COLOR_BGR2GRAY), depth


@functools.cache
def _readable_formats() -> tuple[str, ...]:
    """Return those of `FORMATS` that Pillow reads here."""
    Image.init()
    if importlib.util.find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def open_header(data: bytes) -> Image.Image:
    """Return an image of one of `FORMATS` with its header read and no pixel decoded.

    Raises:
        UnusableImage: The bytes are no such image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own limit of pixels is another one
        try:
            return Image.open(io.BytesIO(data), formats=_readable_formats())
        except UnidentifiedImageError as e:
            if data[4:12] in _HEIF:
                raise UnusableImage(
                    "is a HEIF (HEIC) image; install the reader, pip install 'siamese-tfx[heif]', "
                    "or convert it to JPEG"
                ) from e
            if data.startswith(_BEGINNINGS):
                raise UnusableImage("is cut off or damaged: its header is not whole") from e
            if data.startswith(_TIFF):
                raise UnusableImage(
                    "is a TIFF of a kind that cannot be read, such as one of several float "
                    "channels or of 64 bits; save it as 16-bit integers or 32-bit float, grey"
                ) from e
            raise UnusableImage("is no image, or of a kind that cannot be read") from e
        except Image.DecompressionBombError as e:
            raise UnusableImage(f"has far too many pixels: {e}") from e
        except Exception as e:  # its parsers raise many kinds for damaged headers
            raise UnusableImage(f"is cut off or damaged: {e}") from e


def number_of_frames(image: Image.Image) -> int:
    """Return the number of frames; what a phone appends to a photograph (MPO) is none."""
    return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)


def _tensorflow_reads(data: bytes, header: Image.Image) -> bool:
    """Return whether TensorFlow decodes the bytes to the same pixels, except for rotation."""
    if header.format in ("JPEG", "MPO"):  # phones append a preview or a depth map: MPO
        return header.mode in ("RGB", "L") and data.endswith(b"\xff\xd9")
    if header.format == "PNG":
        bit_depth = data[24]
        return (
            ((bit_depth == 8 and header.mode in ("RGB", "L")) or header.mode == "P")
            and "transparency" not in header.info
            and number_of_frames(header) == 1
        )
    if header.format == "BMP":
        bits, compression = int.from_bytes(data[28:30], "little"), data[30:34]
        return bits == 24 and compression == b"\0\0\0\0"
    return False


def _pixels(image: Image.Image) -> np.ndarray:
    """Return upright RGB in sRGB, uint8 [h, w, 3], with transparency blended with white."""
    turned = ImageOps.exif_transpose(image)
    if colour_profile.has_other_profile(turned):
        turned = colour_profile.to_srgb(turned)
    if turned.has_transparency_data:
        turned = turned.convert("RGBA")
        flat = Image.new("RGBA", turned.size, "white")
        flat.alpha_composite(turned)
        turned = flat
    return np.asarray(turned.convert("RGB"))
