import numpy as np
import pytest
from sklearn.metrics import log_loss

from trainer.network.losses.pair_crossentropy import pair_crossentropy

TARGETS = np.array([1, 0, 0, 0, 1])
SIMILARITIES = np.array([0.9, 0.2, 0.6, 0.1, 0.4], "float32")


def test_equals_scikit_learn():
    loss = float(pair_crossentropy(TARGETS, SIMILARITIES))
    assert loss == pytest.approx(log_loss(TARGETS, SIMILARITIES), rel=1e-5)


def test_balanced_gives_both_kinds_the_same_weight():
    same = log_loss(TARGETS[TARGETS == 1], SIMILARITIES[TARGETS == 1], labels=[0, 1])
    different = log_loss(TARGETS[TARGETS == 0], SIMILARITIES[TARGETS == 0], labels=[0, 1])
    loss = float(pair_crossentropy(TARGETS, SIMILARITIES, balanced=True))
    assert loss == pytest.approx((same + different) / 2, rel=1e-5)


@pytest.mark.parametrize("balanced", [False, True])
def test_is_finite_when_the_similarity_is_quite_wrong(balanced):
    assert np.isfinite(float(pair_crossentropy(np.array([1, 0]), np.array([0.0, 1.0]), balanced)))


def test_balanced_is_finite_with_one_kind_only():
    assert np.isfinite(float(pair_crossentropy(np.array([0, 0]), np.array([0.1, 0.2]), True)))
