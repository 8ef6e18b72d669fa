import cv2
import numpy as np
import pytest
import tensorflow as tf

from components.transform.preprocessing import decode_and_resize, preprocessing_fn
from records import features


def png(pixels):
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


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


def test_the_record_keeps_its_names(pixels):
    inputs = {name: tf.constant([["x"], ["y"]]) for name in features.IMAGE_RECORD}
    inputs[features.IMAGE] = tf.constant([[png(pixels)], [png(pixels[::-1])]])
    outputs = preprocessing_fn(inputs, {"size": 16, "interpolation": "area"})
    assert set(outputs) == set(features.TRANSFORMED_RECORD)
    one = tf.io.parse_tensor(outputs[features.PIXELS][1, 0], tf.uint8)
    np.testing.assert_array_equal(one, decode_and_resize(png(pixels[::-1]), 16, "area"))
