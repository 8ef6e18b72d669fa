"""Converts images with an ICC profile, such as Display P3 or Adobe RGB, to sRGB.

Neither TensorFlow nor OpenCV applies profiles, and pretrained encoders were trained on sRGB.
"""

from __future__ import annotations

import functools
import io
import itertools
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
"""Pillow's modes of colours without transparency, and ICC's name of their colour space."""

_SAME = 2
"""Levels of 255 by which a profile may differ from sRGB: sRGB profiles differ in rounding."""


class _Conversion(NamedTuple):
    """What an ICC profile asks for.

    Attributes:
        to_srgb: The transform.
        is_srgb: Whether it changes nothing.
    """

    to_srgb: ImageCms.ImageCmsTransform
    is_srgb: bool


def has_other_profile(image: Image.Image) -> bool:
    """Return whether an image has a profile whose colours are not those of sRGB.

    A profile that is damaged or belongs to another colour space counts as none.
    """
    conversion = _of_image(image)
    return conversion is not None and not conversion.is_srgb


def to_srgb(image: Image.Image) -> Image.Image:
    """Return an image for which `has_other_profile` holds in sRGB, with its transparency.

    Args:
        image: With its pixels loaded.

    Returns:
        An image of mode RGB, or RGBA if `image` has transparency.
    """
    conversion = _of_image(image)
    assert conversion is not None
    converted = ImageCms.applyTransform(image.convert(_colours(image)), conversion.to_srgb)
    assert converted is not None  # only in place there is no result
    if "A" in image.getbands() or "transparency" in image.info:
        converted.putalpha(image.convert("RGBA").getchannel("A"))
    return converted


def _of_image(image: Image.Image) -> _Conversion | None:
    profile = image.info.get("icc_profile")
    return _conversion(profile, _colours(image)) if profile else None


def _colours(image: Image.Image) -> str:
    """Return the mode that holds an image's colours without its transparency."""
    return {"L": "L", "LA": "L", "1": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")


@functools.lru_cache(maxsize=16)  # the images of a data set share few profiles
def _conversion(profile: bytes, mode: str) -> _Conversion | None:
    """Return the conversion; None if the profile is damaged or of another colour space."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        # Black point compensation keeps the dark tones of a profile for print.
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "CMYK":
            return _Conversion(transform, is_srgb=False)
        probes = _probes().convert(mode)
        converted = np.asarray(ImageCms.applyTransform(probes, transform), int)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    difference = np.abs(converted - np.asarray(probes.convert("RGB"), int)).max()
    return _Conversion(transform, is_srgb=bool(difference <= _SAME))


def _probes() -> Image.Image:
    """Return a row of colours and greys from all over the cube."""
    levels = range(0, 256, 51)
    colours = [*itertools.product(levels, repeat=3), *((grey,) * 3 for grey in range(256))]
    return Image.fromarray(np.array([colours], np.uint8))
