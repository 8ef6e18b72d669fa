import numpy as np
import pytest
from sklearn.metrics import log_loss

from trainer.network.losses.pair_crossentropy import pair_crossentropy

TARGETS = np.array([1, 0, 0, 0, 1])
SIMILARITIES = np.array([0.9, 0.2, 0.6, 0.1, 0.4], "float32")
LOGITS = np.log(SIMILARITIES / (1 - SIMILARITIES))


def test_equals_scikit_learn():
    loss = float(pair_crossentropy(TARGETS, LOGITS))
    assert loss == pytest.approx(log_loss(TARGETS, SIMILARITIES), rel=1e-5)


def test_balanced_gives_both_kinds_the_same_weight():
    same = log_loss(TARGETS[TARGETS == 1], SIMILARITIES[TARGETS == 1], labels=[0, 1])
    different = log_loss(TARGETS[TARGETS == 0], SIMILARITIES[TARGETS == 0], labels=[0, 1])
    loss = float(pair_crossentropy(TARGETS, LOGITS, balanced=True))
    assert loss == pytest.approx((same + different) / 2, rel=1e-5)


@pytest.mark.parametrize("balanced", [False, True])
def test_is_linear_in_the_logit_where_a_pair_is_most_wrong(balanced):
    loss = pair_crossentropy(np.array([1, 0]), np.array([-200.0, 200.0]), balanced)
    assert float(loss) == pytest.approx(200)


def test_balanced_is_finite_with_one_kind_only():
    assert np.isfinite(float(pair_crossentropy(np.array([0, 0]), np.array([-1.0, 2.0]), True)))
