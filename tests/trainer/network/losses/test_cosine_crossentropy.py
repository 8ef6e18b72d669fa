import numpy as np
import pytest

from trainer.network.losses.cosine_crossentropy import cosine_crossentropy


def test_equals_its_definition():
    left = np.array([[1, 0], [1, 0], [1, 0]], "float32")
    right = np.array([[0.6, 0.8], [0, 1], [-1, 0]], "float32")
    cosines, targets = np.array([0.6, 0.0, -1.0]), np.array([1, 0, 0])
    similarities = 1 / (1 + np.exp(-(cosines - 0.5) / 0.2))
    same = -np.log(similarities[:1]).mean()
    different = -np.log(1 - similarities[1:]).mean()
    loss = cosine_crossentropy(targets, left, right, temperature=0.2, margin=0.5)
    assert float(loss) == pytest.approx((same + different) / 2, rel=1e-4)


def test_a_pair_at_the_margin_is_even():
    left, right = np.array([[1, 0]], "float32"), np.array([[0.6, 0.8]], "float32")
    loss = cosine_crossentropy(np.array([1]), left, right, margin=0.6)
    assert float(loss) == pytest.approx(np.log(2), rel=1e-4)
