import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from images.canonical import Region, UnusableImage, canonical_image

# Four flat quarters: no codec changes them by much, and each rotation shows.
QUARTERS = np.zeros((32, 48, 3), "uint8")
QUARTERS[:16, :24] = (220, 30, 30)
QUARTERS[:16, 24:] = (30, 220, 30)
QUARTERS[16:, :24] = (30, 30, 220)
QUARTERS[16:, 24:] = (220, 220, 220)


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def quarters():
    return Image.fromarray(QUARTERS)


def decoded(data):
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


def assert_shows_the_quarters(canonical, tolerance=0):
    assert (canonical.height, canonical.width) == (32, 48)
    difference = np.abs(decoded(canonical.data).astype(int) - QUARTERS)
    assert difference.max() <= tolerance


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        (encode(quarters(), "PNG"), 0),
        (encode(quarters(), "JPEG", quality=95, subsampling=0), 6),
        (encode(quarters(), "JPEG", quality=95, subsampling=0, progressive=True), 6),
        (encode(quarters(), "BMP"), 0),
        (encode(quarters().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), 0),
    ],
    ids=["png", "jpeg", "progressive jpeg", "bmp", "palette png"],
)
def test_what_tensorflow_reads_goes_on_untouched(data, tolerance):
    canonical = canonical_image(data)
    assert canonical.data is data
    assert not canonical.reencoded
    assert_shows_the_quarters(canonical, tolerance)


def palette_with_alpha():
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
    return encode(image, "PNG", transparency=255)


def alpha_over_garbage():
    """The white quarter is transparent, with black beneath."""
    rgba = np.dstack([QUARTERS, np.full(QUARTERS.shape[:2], 255, "uint8")])
    rgba[16:, 24:] = 0
    return encode(Image.fromarray(rgba), "PNG")


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        (encode(quarters(), "WEBP", lossless=True), 0),
        (encode(quarters(), "TIFF"), 0),
        (encode(quarters().convert("P", palette=Image.Palette.ADAPTIVE), "GIF"), 0),
        (encode(quarters().convert("P", palette=Image.Palette.ADAPTIVE), "BMP"), 0),
        (encode(quarters().convert("CMYK"), "JPEG", quality=95, subsampling=0), 10),
        (palette_with_alpha(), 0),
        (encode(quarters(), "JPEG", quality=95, subsampling=0) + b"a phone's short film", 6),
    ],
    ids=["webp", "tiff", "gif", "palette bmp", "cmyk", "palette alpha", "trailer"],
)
def test_what_tensorflow_does_not_read_alike_becomes_png(data, tolerance):
    canonical = canonical_image(data)
    assert canonical.reencoded
    assert canonical.data.startswith(b"\x89PNG")
    assert_shows_the_quarters(canonical, tolerance)


@pytest.mark.parametrize("kind", ["WEBP", "TIFF"])
def test_rotation_is_applied_to_other_kinds_too(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = quarters().transpose(Image.Transpose.ROTATE_90)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(lying, kind, exif=exif, **options)
    assert_shows_the_quarters(canonical_image(data))


def test_a_photograph_with_a_second_picture_behind_it_goes_on_untouched():
    second = quarters().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    options = {"quality": 95, "subsampling": 0}
    data = encode(quarters(), "MPO", save_all=True, append_images=[second], **options)
    assert Image.open(io.BytesIO(data)).format == "MPO"
    canonical = canonical_image(data)
    assert canonical.data is data
    assert_shows_the_quarters(canonical, tolerance=6)


def test_floating_point_pixels_are_no_crash():
    """OpenCV reads a PFM file to an array of one channel, whatever it was asked for."""
    data = encode(quarters().convert("L").convert("F"), "PPM")
    assert decoded(canonical_image(data).data).shape == (32, 48, 3)


def test_transparency_lies_over_white():
    white = decoded(canonical_image(alpha_over_garbage()).data)[20, 30]
    np.testing.assert_array_equal(white, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_phones_exif_rotation_is_applied(orientation, kind):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    lying = quarters().transpose(undo[orientation]) if orientation > 1 else quarters()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    canonical = canonical_image(encode(lying, kind, exif=exif.tobytes(), **options))
    assert canonical.reencoded == (orientation > 1)
    assert_shows_the_quarters(canonical, tolerance=6)


def png_bomb(side):
    """A PNG of `side` squared pixels in a few kilobytes."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body
            + struct.pack(">I", zlib.crc32(kind + body))
        )  # fmt: skip

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side * (side // 8 + 1)), 9) if side <= 2000 else bytes(2000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"These are not pixels.\n", "is no image"),
        (encode(quarters(), "PNG")[:-60], "is cut off or damaged"),
        (encode(quarters(), "JPEG")[:-200], "is cut off or damaged"),
        (encode(quarters(), "JPEG")[:20], "is cut off or damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "is no image"),
        (png_bomb(20_000), "pixels"),
        (png_bomb(12_000), r"has 12000 x 12000 pixels, more than data\.max_pixels \(100000000\)"),
    ],
    ids=["empty", "text", "cut png", "cut jpeg", "only a header", "eps", "bomb", "large"],
)
def test_unusable_images_say_why(data, reason):
    assert len(data) < 10_000
    with pytest.raises(UnusableImage, match=reason):
        canonical_image(data)


def test_the_limit_can_be_set():
    with pytest.raises(UnusableImage, match="has 1000 x 1000 pixels"):
        canonical_image(png_bomb(1000), max_pixels=999_999)
    assert canonical_image(png_bomb(1000), max_pixels=1_000_000).width == 1000


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_several_frames_the_first_is_used(kind):
    others = [Image.new("RGB", (48, 32), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(quarters(), kind, save_all=True, append_images=others, **options)
    canonical = canonical_image(data)
    assert (canonical.frames, canonical.reencoded) == (3, True)
    assert_shows_the_quarters(canonical)


def test_a_region_is_described_and_must_be_there():
    pixels = np.zeros((40, 60), np.uint8)
    pixels[10:30, 20:50] = 200
    data = cv2.imencode(".png", pixels)[1].tobytes()
    assert canonical_image(data, region=Region(20, 10, 30, 20)).grey.min() == 200
    with pytest.raises(UnusableImage, match=r"has 60 x 40 pixels, .*region ends at 61 x 1"):
        canonical_image(data, region=Region(60, 0, 1, 1))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (30_000, 10), (10, 30_000)])
def test_extreme_shapes_are_images_too(width, height):
    canonical = canonical_image(encode(Image.new("RGB", (width, height), "red"), "PNG"))
    assert (canonical.width, canonical.height, canonical.grey.shape) == (width, height, (256, 256))
