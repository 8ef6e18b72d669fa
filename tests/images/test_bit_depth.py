import io
import struct

import cv2
import numpy as np
import pytest
from deep_images import KINDS, RAMP, grey_png, with_profile
from icc_profiles import display_p3
from PIL import Image

from images.bit_depth import deep_values, depth
from images.canonical import UnusableImage, canonical_image


def values_of(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return deep_values(data, image)


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_is_kept(kind):
    data, values = KINDS[kind]
    canonical = canonical_image(data)
    np.testing.assert_array_equal(values_of(canonical.data), values)
    assert (canonical.height, canonical.width) == values.shape[:2]
    is_float = values.min() < 0 or values.max() > 65535 or values.dtype == np.float32
    assert canonical.depth.is_float == is_float
    assert canonical.grey.std() > 30


@pytest.mark.parametrize("kind", KINDS)
def test_a_canonical_image_is_canonical(kind):
    """The client may get one from a record, as the infra check does."""
    data = canonical_image(KINDS[kind][0]).data
    assert canonical_image(data).data is data


@pytest.mark.parametrize("kind", ["12-bit PNG", "16-bit colour PNG", "16-bit colour PNG in sRGB"])
def test_16_bit_png_goes_on_untouched(kind):
    assert canonical_image(KINDS[kind][0]).data is KINDS[kind][0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value):
    values = RAMP.astype(np.float32)
    values[3, 4] = value
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    with pytest.raises(UnusableImage, match="has values that are NaN or infinite"):
        canonical_image(file.getvalue())


def test_tiff_of_several_float_channels_is_refused_by_name():
    data = cv2.imencode(".tiff", np.zeros((4, 5, 3), np.float32))[1].tobytes()
    with pytest.raises(UnusableImage, match=r"is a TIFF of a kind .* several float channels"):
        canonical_image(data)


def test_a_colour_photograph_with_a_profile_has_eight_bits_of_srgb():
    pixels = np.full((8, 8, 3), (60, 100, 190), np.uint16) * 257  # BGR
    data = cv2.imencode(".png", pixels)[1].tobytes()
    canonical = canonical_image(with_profile(data, display_p3()))
    assert canonical.depth is None
    found = np.asarray(Image.open(io.BytesIO(canonical.data))).astype(int)
    assert np.abs(found - (202, 97, 48)).max() <= 4


def colour_tiff(extra_samples, colours, fourth):
    """A 16-bit TIFF of four bands."""
    height, width = fourth.shape
    body = np.dstack([colours, fourth]).astype("<u2").tobytes()
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 4, 8), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 16), (277, 3, 1, 4), (278, 4, 1, height), (279, 4, 1, len(body)),
        (338, 3, 1, extra_samples),
    ]  # fmt: skip
    entries = b"".join(
        struct.pack("<HHI", tag, kind, count)
        + struct.pack("<I" if kind == 4 or count > 1 else "<Hxx", value)
        for tag, kind, count, value in tags
    )
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    bits = struct.pack("<4H", 16, 16, 16, 16)
    return b"II*\0" + struct.pack("<I", 16 + len(body)) + bits + body + directory


@pytest.mark.parametrize(
    ("extra_samples", "value"), [(0, 20000), (1, 20000 + 32768), (2, 10000 + 32768)]
)
def test_the_fourth_band_of_a_tiff_is_transparency_if_it_says_so(extra_samples, value):
    fourth = np.full((6, 5), 32767)
    data = colour_tiff(extra_samples, np.full((6, 5, 3), 20000), fourth)
    found = values_of(canonical_image(data).data)
    assert found.shape == (6, 5, 3)
    assert np.abs(found.astype(int) - value).max() <= 1


def test_the_summary_is_of_all_channels():
    colours = np.zeros((1000, 1000, 3), np.uint16) + np.array([100, 2000, 60000], np.uint16)
    assert set(depth(colours).quantiles) == {100, 2000, 60000}


def test_the_summary_does_not_alias_with_stripes():
    striped = np.zeros((1000, 1000), np.uint16)
    striped[:, ::10] = 1000
    assert depth(striped).quantiles.mean() == pytest.approx(100, rel=0.1)


def test_a_blank_image_has_a_preview():
    assert canonical_image(grey_png(np.full((8, 8), 1000))).grey.max() == 0
