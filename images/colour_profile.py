"""Converts images with an ICC profile, such as Display P3 or Adobe RGB, to sRGB.

Neither TensorFlow nor OpenCV applies profiles, and pretrained encoders were trained on sRGB.
"""

from __future__ import annotations

import functools
import io
import itertools

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
"""Pillow's modes of colours without transparency, and ICC's name of their colour space."""

_SAME = 2
"""Levels of 255 by which a profile may differ from sRGB: sRGB profiles differ in rounding."""


def has_other_profile(image: Image.Image) -> bool:
    """Return whether an image has a profile whose colours are not those of sRGB.

    A profile that is damaged or belongs to another colour space counts as none.
    """
    return _of_image(image) is not None


def to_srgb(image: Image.Image) -> Image.Image:
    """Return an image for which `has_other_profile` holds in sRGB, with its transparency.

    Args:
        image: With its pixels loaded.

    Returns:
        An image of mode RGB, or RGBA if `image` has transparency.
    """
    transform = _of_image(image)
    assert transform is not None
    colours = image.convert(_colours(image))
    converted = ImageCms.applyTransform(colours, transform)
    assert converted is not None  # not in place
    if "A" in image.getbands() or "transparency" in image.info:
        converted.putalpha(image.convert("RGBA").getchannel("A"))
    return converted


def _of_image(image: Image.Image) -> ImageCms.ImageCmsTransform | None:
    profile = image.info.get("icc_profile")
    return _transform(profile, _colours(image)) if profile else None


def _colours(image: Image.Image) -> str:
    """Return the mode that holds an image's colours without its transparency."""
    return {"L": "L", "LA": "L", "1": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")


@functools.lru_cache(maxsize=16)  # the images of a data set share few profiles
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform to sRGB; None if it changes nothing or the profile is unusable."""
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
            return transform
        probes = _probes().convert(mode)
        converted = np.asarray(ImageCms.applyTransform(probes, transform), int)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    same = np.abs(converted - np.asarray(probes.convert("RGB"), int)).max() <= _SAME
    return None if same else transform


def _probes() -> Image.Image:
    """Return a row of colours and greys from all over the cube."""
    levels = range(0, 256, 51)
    colours = [*itertools.product(levels, repeat=3), *((grey,) * 3 for grey in range(256))]
    return Image.fromarray(np.array([colours], np.uint8))
