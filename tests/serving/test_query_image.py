"""All that users may hand over as an image gives the same canonical image."""

import io

import numpy as np
import pytest
from PIL import Image
from sample_images import encoded, picture

from images.bit_depth import deep_values
from images.canonical import canonical_bytes
from serving.query_image import ImageError, canonical_query

PICTURE = picture(0, 1)
PIXELS = np.asarray(PICTURE)


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(PICTURE))
    return path


def test_files_by_path_text_bytes_and_object(file):
    with file.open("rb") as opened:
        given = [file, str(file), file.read_bytes(), opened, io.BytesIO(file.read_bytes())]
        assert {canonical_query(one) for one in given} == {file.read_bytes()}


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_several_frames_the_first_is_used_and_that_is_said(kind, tmp_path):
    options = {"lossless": True} if kind == "WEBP" else {}
    path = tmp_path / "several"
    path.write_bytes(
        encoded(PICTURE, kind, save_all=True, append_images=[picture(1, 2)], **options)
    )
    with pytest.warns(UserWarning, match=r"several has 2 frames or pages; the first is used"):
        found = canonical_query(path)
    first = canonical_query(encoded(PICTURE, kind, **options))
    np.testing.assert_array_equal(pixels(found), pixels(first))


@pytest.mark.parametrize(
    "image",
    [
        PIXELS,
        PIXELS[..., ::-1][..., ::-1],  # with strides of its own
        np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, "u1")]),
        PICTURE,
        PICTURE.convert("RGBA"),
    ],
)
def test_arrays_and_pillows_images_keep_their_pixels(image):
    np.testing.assert_array_equal(pixels(canonical_query(image)), PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "HSV", "YCbCr", "CMYK", "RGBa"])
def test_all_modes_of_pillow(mode):
    source = PICTURE.convert("RGBA") if mode in ("PA", "RGBa") else PICTURE
    image = source.convert(mode)
    expected = np.asarray(image.convert("RGB")) if mode != "RGBa" else PIXELS
    np.testing.assert_array_equal(pixels(canonical_query(image)), expected)


def test_a_grey_array_may_have_a_band():
    grey = PIXELS[..., :1]
    np.testing.assert_array_equal(pixels(canonical_query(grey))[..., 0], grey[..., 0])


def test_an_image_of_pillow_is_turned_by_its_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(PICTURE, "PNG", exif=exif.tobytes())
    image = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(pixels(canonical_query(image)), pixels(canonical_bytes(data)))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype="u2").reshape(3, 4) * 5000,
        np.arange(24, dtype="u2").reshape(2, 4, 3) * 2000,
        np.linspace(-1, 1, 12, dtype="f").reshape(3, 4),
        np.linspace(-1, 1, 12).reshape(3, 4),
    ],
)
def test_deep_arrays_keep_their_values(array):
    data = canonical_query(array)
    found = deep_values(data, Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(found, array.astype(found.dtype))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("none.png", "none.png cannot be read: No such file"),
        (b"junk", "an image of 4 bytes is no image"),
        (io.BytesIO(b""), "a file object is empty"),
        (io.StringIO("a.png"), r"open for reading bytes \('rb'\)"),
        (7, "give a path, bytes"),
        (np.zeros([2, 2, 3]), r"an array float64 \[2, 2, 3\] is no image; give uint8"),
        (np.zeros([0, 2, 3], "u1"), r"an array uint8 \[0, 2, 3\] is no image"),
        (np.zeros(4, "u1"), r"an array uint8 \[4\] is no image"),
        (np.full([2, 2], np.nan), r"an array float64 \[2, 2\] has values that are NaN"),
    ],
)
def test_what_is_no_image_is_named(image, message):
    with pytest.raises(ImageError, match=message):
        canonical_query(image)
