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
    loss = cosine_crossentropy(targets, left, right, temperature=0.2, even_cosine=0.5)
    assert float(loss) == pytest.approx((same + different) / 2, rel=1e-4)


def test_a_pair_at_the_even_cosine_is_undecided():
    left, right = np.array([[1, 0]], "float32"), np.array([[0.6, 0.8]], "float32")
    loss = cosine_crossentropy(np.array([1]), left, right, even_cosine=0.6)
    assert float(loss) == pytest.approx(np.log(2), rel=1e-4)


@pytest.mark.parametrize(("right", "same"), [([-1.0, 0.0], 1), ([1.0, 0.0], 0)])
def test_the_gradient_does_not_vanish_where_a_pair_is_most_wrong(right, same):
    """In float32 a similarity rounds to 0 or 1 there, whose logarithm was clipped."""
    import tensorflow as tf

    left, right = tf.Variable([[0.99995, 0.01]]), np.array([right], "float32")
    with tf.GradientTape() as tape:
        loss = cosine_crossentropy(np.array([same]), left, right, temperature=0.02)
    size = np.abs(tape.gradient(loss, left).numpy()).max()
    assert size == pytest.approx(1 / 0.02, rel=0.01)
