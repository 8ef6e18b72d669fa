import numpy as np

from judging.statistics.influence import centred


def test_what_the_kinds_differ_by_is_no_influence():
    influence = np.random.default_rng(0).normal(size=(2, 7))
    positive = np.arange(7) < 3
    found = centred(influence + np.where(positive, 5.0, -3.0), positive)
    np.testing.assert_allclose(found, centred(influence, positive))
    np.testing.assert_allclose(found[:, positive].sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(found[:, ~positive].sum(axis=1), 0, atol=1e-12)


def test_without_cases_of_a_kind_the_others_are_centred():
    found = centred(np.array([[1.0, 2.0, 6.0]]), np.ones(3, bool))
    np.testing.assert_allclose(found, [[-2, -1, 3]])
