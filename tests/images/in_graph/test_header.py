"""Raw files in the graph: the pixels of the canonical image, or refused with the reason."""

import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from icc_profiles import display_p3, linear_grey
from PIL import Image, ImageCms

from components.transform.pixels import Fitting, to_pixels
from images.canonical import canonical_image
from images.in_graph.header import Header, Refusal, needs_more, read_headers, upright

RANDOM = np.random.default_rng(0)
PIXELS = cv2.resize(RANDOM.integers(0, 256, (12, 16, 3)).astype("u1"), (61, 45))
PHOTO, GREY = Image.fromarray(PIXELS), Image.fromarray(PIXELS[..., 0])
POSTER, GREY_POSTER = (Image.fromarray(np.asarray(each) // 64 * 64) for each in (PHOTO, GREY))
DEEP = Image.fromarray(PIXELS[..., 0].astype("u2") * 200)
ALPHA = Image.fromarray(RANDOM.integers(0, 256, (45, 61)).astype("u1"))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encode(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def with_alpha(image):
    image = image.copy()
    image.putalpha(ALPHA)
    return image


def with_late_exif():
    """A PNG whose orientation is in a chunk after the pixels."""
    turned, plain = encode(PHOTO, exif=exif(6)), encode(PHOTO)
    start = turned.index(b"eXIf") - 4
    length = int.from_bytes(turned[start : start + 4], "big") + 12
    return plain[:-12] + turned[start : start + length] + plain[-12:]


SAME = {
    **{f"JPEG turned {o}": encode(PHOTO, "JPEG", exif=exif(o)) for o in range(1, 9)},
    **{f"PNG turned {o}": encode(PHOTO, exif=exif(o)) for o in (3, 6)},
    "grey JPEG turned": encode(GREY, "JPEG", exif=exif(8)),
    "progressive JPEG turned": encode(PHOTO, "JPEG", exif=exif(6), progressive=True),
    "deep PNG turned": encode(DEEP, exif=exif(5)),
    "RGBA": encode(with_alpha(PHOTO)),
    "RGBA turned": encode(with_alpha(PHOTO), exif=exif(6)),
    "LA": encode(with_alpha(GREY)),
    "palette with one transparent colour": encode(PHOTO.quantize(16), transparency=3),
    "palette with alpha": encode(PHOTO.quantize(16), transparency=bytes(range(0, 256, 17))),
    "RGB with a transparent colour": encode(POSTER, transparency=(64, 64, 128)),
    "grey with a transparent level": encode(GREY_POSTER, transparency=0),
    "one bit": encode(PHOTO.convert("1")),
    "JPEG with sRGB": encode(PHOTO, "JPEG", icc_profile=SRGB),
    "PNG with sRGB": encode(PHOTO, icc_profile=SRGB),
    "RGBA with sRGB": encode(with_alpha(PHOTO), icc_profile=SRGB),
    "RGB with a profile of grey": encode(PHOTO, "JPEG", icc_profile=linear_grey()),
    "deep grey with a profile": encode(DEEP, icc_profile=linear_grey()),
    "GIF": encode(PHOTO.quantize(200), "GIF"),
    "animated GIF": encode(PHOTO, "GIF", save_all=True, append_images=[PHOTO.rotate(90)]),
    "BMP": encode(PHOTO, "BMP"),
}
REFUSED = {
    "empty": (b"", Refusal.EMPTY),
    "WebP": (encode(PHOTO, "WEBP"), Refusal.UNKNOWN_FORMAT),
    "TIFF": (encode(PHOTO, "TIFF"), Refusal.UNKNOWN_FORMAT),
    "AVIF": (encode(PHOTO, "AVIF"), Refusal.UNKNOWN_FORMAT),
    "grey BMP": (encode(GREY, "BMP"), Refusal.UNKNOWN_FORMAT),
    "BMP with a palette": (encode(PHOTO.quantize(20), "BMP"), Refusal.UNKNOWN_FORMAT),
    "BMP with alpha": (encode(with_alpha(PHOTO), "BMP"), Refusal.UNKNOWN_FORMAT),
    "CMYK": (encode(PHOTO.convert("CMYK"), "JPEG"), Refusal.CMYK),
    "large": (encode(Image.new("RGB", (101, 100))), Refusal.TOO_MANY_PIXELS),
    "JPEG with Display P3": (
        encode(PHOTO, "JPEG", icc_profile=display_p3()),
        Refusal.COLOUR_PROFILE,
    ),
    "PNG with Display P3": (encode(PHOTO, icc_profile=display_p3()), Refusal.COLOUR_PROFILE),
    "grey with a profile": (encode(GREY, icc_profile=linear_grey()), Refusal.COLOUR_PROFILE),
    "one bit with transparency": (
        encode(PHOTO.convert("1"), transparency=0),
        Refusal.TRANSPARENCY,
    ),
    "transparent GIF": (
        encode(PHOTO.quantize(200), "GIF", transparency=3),
        Refusal.TRANSPARENCY,
    ),
    "animated PNG": (
        encode(PHOTO, save_all=True, append_images=[PHOTO.rotate(90)]),
        Refusal.SEVERAL_FRAMES,
    ),
    "PNG turned after its pixels": (with_late_exif(), Refusal.METADATA_AFTER_PIXELS),
}


def read(image):
    """The refusal, and the file that is decoded."""
    headers = read_headers(tf.constant([image]), tf.constant(10_000, tf.int64))
    header = Header(*(each[0] for each in headers))
    if header.refusal == Refusal.NONE and needs_more(header):
        served, refusal = upright(tf.constant(image), header)
        return refusal, served
    return header.refusal, tf.constant(image)


def pixels(image):
    return to_pixels(tf.constant(image), Fitting(32, 24)).numpy()


@pytest.mark.parametrize("name", SAME)
def test_the_pixels_are_those_of_the_canonical_image(name):
    refusal, served = read(SAME[name])
    assert refusal == Refusal.NONE
    canonical = canonical_image(SAME[name]).data
    np.testing.assert_array_equal(pixels(served.numpy()), pixels(canonical))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_alike_is_refused_with_the_reason(name):
    image, reason = REFUSED[name]
    assert Refusal(int(read(image)[0])) is reason


@pytest.mark.parametrize("alpha", [0, 1, 77, 128, 254, 255])
def test_transparency_is_rounded_as_pillow_does(alpha):
    levels = Image.fromarray(np.arange(256, dtype="u1")[None].repeat(2, 0)).convert("RGB")
    levels.putalpha(alpha)
    white = Image.new("RGBA", levels.size, "white")
    white.alpha_composite(levels)
    _, served = read(encode(levels))
    decoded = tf.io.decode_image(served, channels=3).numpy()
    np.testing.assert_array_equal(decoded, np.asarray(white.convert("RGB")))


def test_a_packed_profile_cannot_fill_the_memory():
    """50 MB of zeros, packed to 50 KB."""
    assert Refusal(int(read(encode(PHOTO, icc_profile=SRGB + bytes(50_000_000)))[0])) is (
        Refusal.COLOUR_PROFILE
    )
