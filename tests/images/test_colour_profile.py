import io

import numpy as np
import pytest
import tensorflow as tf
from icc_profiles import display_p3, linear_grey, swapped_inks
from PIL import Image, ImageCms

from images.canonical import canonical_image

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(image, kind, profile, **options):
    file = io.BytesIO()
    image.save(file, kind, icc_profile=profile, **options)
    return file.getvalue()


def flat(mode, colour):
    return Image.new(mode, (24, 16), colour)


def decoded(data):
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


JPEG = {"quality": 100, "subsampling": 0}


@pytest.mark.parametrize(
    ("data", "colour"),
    [
        # Of P3's (190, 100, 60): a colour that sRGB holds more saturated.
        (encoded(flat("RGB", (190, 100, 60)), "PNG", display_p3()), (202, 97, 48)),
        (encoded(flat("RGB", (190, 100, 60)), "JPEG", display_p3(), **JPEG), (202, 97, 48)),
        (encoded(flat("RGB", (190, 100, 60)), "WEBP", display_p3(), lossless=True), (202, 97, 48)),
        (encoded(flat("RGB", (190, 100, 60)), "TIFF", display_p3()), (202, 97, 48)),
        (encoded(flat("L", 55), "PNG", linear_grey()), (128, 128, 128)),
        (encoded(flat("CMYK", (255, 0, 0, 0)), "JPEG", swapped_inks(), **JPEG), (255, 0, 0)),
        (encoded(flat("CMYK", (255, 0, 0, 0)), "TIFF", swapped_inks()), (255, 0, 0)),
        (encoded(flat("CMYK", (0, 0, 0, 0)), "TIFF", swapped_inks()), (255, 255, 255)),
    ],
    ids=["png", "jpeg", "webp", "tiff", "grey", "cmyk jpeg", "cmyk tiff", "cmyk paper"],
)
def test_colours_are_converted_to_srgb(data, colour):
    canonical = canonical_image(data)
    assert canonical.reencoded
    pixels = decoded(canonical.data)
    assert np.abs(pixels.astype(int) - colour).max() <= 8


def test_a_profile_and_transparency():
    """White shows through, unchanged by the profile."""
    image = flat("RGBA", (190, 100, 60, 255))
    image.putpixel((0, 0), (190, 100, 60, 0))
    pixels = decoded(canonical_image(encoded(image, "PNG", display_p3())).data).astype(int)
    np.testing.assert_array_equal(pixels[0, 0], 255)
    assert np.abs(pixels[1, 1] - (202, 97, 48)).max() <= 8


def test_a_profile_and_exif_rotation():
    image = Image.new("RGB", (24, 16), (190, 100, 60))
    image.paste((0, 0, 0), (0, 0, 24, 8))
    exif = Image.Exif()
    exif[0x0112] = 3
    data = encoded(image, "JPEG", display_p3(), exif=exif, **JPEG)
    pixels = decoded(canonical_image(data).data).astype(int)
    assert pixels[12:].max() <= 4
    assert np.abs(pixels[4, 4] - (202, 97, 48)).max() <= 8


@pytest.mark.parametrize("profile", [SRGB, b"no profile", display_p3()[:200], linear_grey()])
def test_images_in_srgb_and_with_useless_profiles_go_on_untouched(profile):
    """Such as a damaged profile, or that of a grey image."""
    data = encoded(flat("RGB", (190, 100, 60)), "PNG", profile)
    assert canonical_image(data).data is data
