import cv2
import numpy as np
import pytest
import tensorflow as tf
from deep_images import COLOURS, KINDS, RAMP, grey_png

from components.transform.pixels import Fitting, decode_and_resize, to_pixels
from components.transform.preprocessing import fitting_of
from images.canonical import Region, canonical_image

AS_IT_IS = Fitting(24, 20)


def pixels_of(data, fitting=AS_IT_IS, *ends):
    return to_pixels(tf.constant(data), fitting, *ends).numpy()


def mapped(values, low, high):
    scaled = np.clip((values.astype(np.float64) - low) / (high - low) * 255, 0, 255)
    return np.broadcast_to(scaled if scaled.ndim == 3 else scaled[..., None], (24, 20, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_the_range_becomes_0_to_255(kind):
    data, values = KINDS[kind]
    inner = values[values < 65535].astype(np.float32)
    low, high = np.quantile(inner, (0.1, 0.9))
    found = pixels_of(canonical_image(data).data, AS_IT_IS, low, high)
    assert np.abs(found - mapped(values, low, high)).max() <= 0.501
    assert len(np.unique(found)) > 200


def test_the_unit_of_the_values_does_not_matter():
    """Twelve bits as a camera saves them, shifted to the upper bits of 16, or as shares of one."""
    shares = cv2.imencode(".tiff", (RAMP / 4096).astype(np.float32))[1].tobytes()
    plain, shifted, of_one = (
        pixels_of(canonical_image(data).data, Fitting(12, 10), 100.0 * unit, 400.0 * unit)
        for data, unit in ((grey_png(RAMP), 1), (grey_png(RAMP * 16), 16), (shares, 1 / 4096))
    )
    assert len(np.unique(plain)) > 60
    np.testing.assert_array_equal(plain, shifted)
    assert np.abs(plain.astype(int) - of_one).max() <= 1


def test_without_a_range_16_bits_are_all_used_and_floats_are_an_error():
    found = pixels_of(grey_png(RAMP * 128))
    assert np.abs(found - mapped(RAMP * 128, 0, 65535)).max() <= 0.501
    with pytest.raises(tf.errors.InvalidArgumentError):
        pixels_of(canonical_image(KINDS["float TIFF"][0]).data)


def test_images_of_eight_bits_have_no_range():
    image = (RAMP % 256).astype(np.uint8)
    data = cv2.imencode(".png", image)[1].tobytes()
    np.testing.assert_array_equal(pixels_of(data, AS_IT_IS, 100.0, 110.0)[..., 0], image)


def test_a_defective_pixel_does_not_spread():
    values = np.full((40, 40), 1000)
    values[20, 20] = 65535
    found = pixels_of(grey_png(values), Fitting(10, 10), 0.0, 4000.0)
    assert found.max() < 90


def test_alpha_of_16_bits_must_be_flattened_before():
    with pytest.raises(tf.errors.InvalidArgumentError):
        pixels_of(KINDS["16-bit colour PNG with alpha"][0])


def png(pixels):
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


WIDE = np.zeros((20, 60, 3), np.uint8)
WIDE[:, :20], WIDE[:, 20:40], WIDE[:, 40:] = 50, 150, 250


def test_pad_keeps_the_aspect_ratio_in_a_grey_border():
    found = pixels_of(png(WIDE), Fitting(60, 60, "nearest", "pad"))
    np.testing.assert_array_equal(found[:20], 128)
    np.testing.assert_array_equal(found[20:40], WIDE)
    np.testing.assert_array_equal(found[40:], 128)


def test_crop_keeps_the_middle():
    found = pixels_of(png(WIDE), Fitting(20, 20, "cubic", "crop"))
    np.testing.assert_array_equal(found, 150)


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_squares_stay_as_they_are(resize):
    np.testing.assert_array_equal(
        pixels_of(png(WIDE[:, :20]), Fitting(20, 20, "cubic", resize)), 50
    )


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("shape", [(1, 1), (10, 3000), (3000, 10)])
def test_extreme_shapes(resize, shape):
    image = np.full((*shape, 3), 200, np.uint8)
    found = pixels_of(png(image), Fitting(32, 48, "cubic", resize))
    assert found.shape == (32, 48, 3)
    assert found[16, 24, 0] == 200 or resize == "pad"
    assert 200 in found


def test_a_region_is_cut_out_first():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    region = Region(x=10, y=5, width=20, height=24)
    found = pixels_of(png(image), Fitting(24, 20, region=region))
    np.testing.assert_array_equal(found, image[5:29, 10:30])


def test_an_image_that_does_not_contain_the_region_is_an_error():
    region = Region(x=10, y=5, width=20, height=24)
    with pytest.raises(tf.errors.InvalidArgumentError):
        pixels_of(png(np.zeros((28, 50, 3), np.uint8)), Fitting(24, 20, region=region))


def test_a_region_of_deep_colours():
    region = Region(x=2, y=3, width=4, height=5)
    data = KINDS["16-bit colour PNG"][0]
    found = pixels_of(data, Fitting(5, 4, region=region), 0.0, 255.0)
    np.testing.assert_array_equal(found, np.clip(COLOURS[3:8, 2:6], 0, 255))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype("uint8")


def test_an_image_of_the_right_size_stays_as_it_is(pixels):
    square = pixels[:, :20]
    for interpolation in ("cubic", "linear", "area", "nearest"):
        out = decode_and_resize(tf.constant(png(square)), 20, interpolation)
        np.testing.assert_array_equal(out, square)


def test_resizes_to_the_wanted_size(pixels):
    out = decode_and_resize(tf.constant(png(pixels)), 16, "cubic")
    assert out.shape == (16, 16, 3)
    assert out.dtype == tf.uint8


def test_cubic_overshoot_is_clipped_not_wrapped():
    edge = np.zeros((8, 8, 3), "uint8")
    edge[:, 4:] = 255
    out = decode_and_resize(tf.constant(png(edge)), 32, "cubic").numpy()[16, :, 0].astype(int)
    assert (np.diff(out) >= 0).all()  # a wrapped value would fall from 255 to 0


def test_a_grey_image_becomes_rgb():
    grey = cv2.imencode(".png", np.full((8, 8), 77, "uint8"))[1].tobytes()
    np.testing.assert_array_equal(decode_and_resize(tf.constant(grey), 8, "cubic"), 77)


def test_tiles_make_the_image_larger():
    config = {"size": 8, "interpolation": "cubic", "tiles": "2x3"}
    fitting = fitting_of(config)
    assert (fitting.height, fitting.width) == (16, 24)
    assert pixels_of(png(WIDE), fitting).shape == (16, 24, 3)
