"""Answers are the same when they differ by rounding alone.

The last bits of a float depend on the number of images in a batch and on the processor; with
oneDNN, also on whether weights are constants.
"""

import numpy as np


def assert_same(one, other):
    """Assert that two arrays are equal; floats, as nearly as 32 bits allow."""
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype.kind == "f":
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    else:
        np.testing.assert_array_equal(one, other)


def assert_same_answers(one, other):
    """The same of two signatures' answers, by output."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert_same(value, other[name])
