import numpy as np

from trainer.training.images import Images
from trainer.training.reference_methods import raw_pixel_accuracy


def images(values, labels):
    pixels = np.array(values, "uint8")[:, None, None, None] * np.ones((1, 2, 2, 3), "uint8")
    names = [b"%d" % i for i in range(len(values))]
    return Images(pixels, np.array(labels), names, names, names, names, np.full(len(labels), -1))


def test_raw_pixels_by_the_nearest_image():
    support = images([0, 200], ["dark", "light"])
    query = images([90, 110, 250], ["dark", "dark", "light"])
    assert raw_pixel_accuracy(support, query) == 2 / 3


def test_distances_do_not_wrap_around():
    # As uint8, 250 - 0 and 250 - 200 would both be small.
    assert raw_pixel_accuracy(images([0, 200], ["a", "b"]), images([250], ["b"])) == 1


def test_raw_pixel_accuracy_is_nan_for_a_new_class():
    assert np.isnan(raw_pixel_accuracy(images([0], ["a"]), images([0], ["new"])))
