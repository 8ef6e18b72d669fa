import io

import cv2
import numpy as np
import pytest
from deep_images import KINDS, RAMP, grey_png
from icc_profiles import display_p3
from PIL import Image

from images.canonical import UnusableImage, canonical_image
from images.deep import deep_values


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


@pytest.mark.parametrize("kind", ["12-bit PNG", "16-bit colour PNG"])
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
    file = io.BytesIO()
    # Pillow writes no 16-bit colours: its profile chunk goes between the header and the pixels.
    Image.new("RGB", (8, 8)).save(file, "PNG", icc_profile=display_p3())
    chunk = file.getvalue()[33 : file.getvalue().index(b"IDAT") - 4]
    canonical = canonical_image(data[:33] + chunk + data[33:])
    assert canonical.depth is None
    found = np.asarray(Image.open(io.BytesIO(canonical.data))).astype(int)
    assert np.abs(found - (202, 97, 48)).max() <= 4


def test_a_blank_image_has_a_preview():
    assert canonical_image(grey_png(np.full((8, 8), 1000))).grey.max() == 0
