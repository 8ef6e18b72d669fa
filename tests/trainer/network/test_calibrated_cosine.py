import numpy as np
import pytest

from trainer.network.calibrated_cosine import CalibratedCosine, calibrate_cosine


def test_similarity_rises_with_the_cosine():
    sides = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], "float32")
    similarities = np.asarray(CalibratedCosine(4.0, -2.0)(np.repeat(sides[:1], 3, 0), sides))
    np.testing.assert_allclose(similarities, 1 / (1 + np.exp(-(4 * sides[:, 0] - 2))), rtol=1e-5)


def test_the_even_point_does_not_depend_on_how_many_pairs_there_are_of_each_kind():
    rng = np.random.default_rng(0)
    different, same = rng.normal(0, 0.2, 9000), rng.normal(0.8, 0.2, 1000)
    kinds = np.repeat([False, True], [9000, 1000])
    scale, offset = calibrate_cosine(np.concatenate([different, same]), kinds)
    assert scale > 0
    assert -offset / scale == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize(
    ("cosines", "same"),
    [([0.1, 0.2], [True, True]), ([0.9, 0.1], [False, True]), ([np.nan, 0.1], [True, False])],
)
def test_pairs_that_cannot_calibrate(cosines, same):
    assert calibrate_cosine(np.array(cosines), np.array(same)) == CalibratedCosine()
