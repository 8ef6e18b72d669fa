import keras
import numpy as np
import pytest
from scipy import ndimage

from trainer.network.random_warp import RandomWarp

HEIGHT, WIDTH = 24, 32
Y, X = (axis.astype("float32") for axis in np.mgrid[:HEIGHT, :WIDTH])


def positions(shear=0.0, elastic=0.0, count=50):
    """Return where each pixel comes from, [count, height, width], by row and by column."""
    image = np.stack([Y, X, np.ones_like(X)], axis=-1)
    warped = RandomWarp(shear, elastic, seed=1)(np.repeat(image[None], count, 0), training=True)
    y, x, one = np.moveaxis(np.array(warped), -1, 0)
    np.testing.assert_allclose(one, 1, atol=1e-5)
    return y, x


def test_shear_moves_rows_and_columns_in_proportion_to_their_distance_from_the_centre():
    y, x = positions(shear=0.2)
    middle = slice(8, -8)  # away from the border, where positions are clipped
    for moved, still, across in ((y, Y, X), (x, X, Y)):
        from_centre = (across - across.mean())[middle, middle]
        shifts = (moved - still)[:, middle, middle]
        slopes = (shifts * from_centre).sum((1, 2)) / (from_centre**2).sum()
        np.testing.assert_allclose(shifts, slopes[:, None, None] * from_centre, atol=1e-4)
        assert np.abs(slopes).max() <= 0.2
        assert slopes.std() == pytest.approx(0.2 / np.sqrt(3), rel=0.25)


def test_elastic_deformation_is_smooth_and_has_the_given_size():
    y, x = positions(elastic=0.05, count=200)
    for moved, still, size in ((y, Y, HEIGHT), (x, X, WIDTH)):
        shifts = (moved - still)[:, 5:-5, 5:-5]
        assert shifts.std() == pytest.approx(0.05 * size * 0.75, rel=0.2)
        for axis in (1, 2):  # independent displacements would differ by 1.4 standard deviations
            assert np.diff(shifts, axis=axis).std() < 0.5 * shifts.std()
        assert shifts.std(axis=0).min() > 0.5  # every image has a deformation of its own


def test_pixels_are_interpolated_between_their_neighbours():
    y, x = positions(shear=0.3, elastic=0.1, count=3)
    images = np.random.default_rng(0).uniform(0, 255, (3, HEIGHT, WIDTH, 2)).astype("float32")
    warped = np.array(RandomWarp(0.3, 0.1, seed=1)(images, training=True))
    for image, result, rows, columns in zip(images, warped, y, x, strict=True):
        for channel in range(2):
            expected = ndimage.map_coordinates(image[..., channel], [rows, columns], order=1)
            np.testing.assert_allclose(result[..., channel], expected, atol=0.1)


def test_images_of_any_number_pass_through_at_inference():
    layer = RandomWarp(0.3, 0.1, seed=1)
    pixels = keras.Input((HEIGHT, WIDTH, 3))
    model = keras.Model(pixels, layer(pixels))
    images = np.random.default_rng(0).uniform(0, 255, (3, HEIGHT, WIDTH, 3)).astype("float32")
    np.testing.assert_array_equal(model(images, training=False), images)
    assert model(images, training=True).shape == images.shape


def test_mixed_precision_is_left_to_the_network():
    images = np.random.default_rng(0).uniform(0, 255, (3, HEIGHT, WIDTH, 3)).astype("float32")
    expected = RandomWarp(0.3, 0.1, seed=1)(images, training=True)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        warped = RandomWarp(0.3, 0.1, seed=1)(images, training=True)
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_array_equal(warped, expected)
