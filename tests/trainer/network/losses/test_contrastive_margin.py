import numpy as np
import pytest

from trainer.network.losses.contrastive_margin import contrastive_margin


def test_equals_the_papers_definition_with_both_kinds_balanced():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 6, 3)).astype("float32") * 0.3
    targets = np.array([1, 0, 0, 0, 1, 0])
    distances = np.linalg.norm(left - right, axis=1)
    pull = np.mean(distances[targets == 1] ** 2)
    push = np.mean(np.maximum(0, 0.8 - distances[targets == 0]) ** 2)
    loss = contrastive_margin(targets, left, right, margin=0.8)
    assert float(loss) == pytest.approx((pull + push) / 2, rel=1e-5)


def test_different_pairs_beyond_the_margin_have_no_loss():
    left, right = np.eye(2, dtype="float32"), np.eye(2, dtype="float32")[::-1]
    assert float(contrastive_margin(np.array([0, 0]), left, right, margin=1.4)) == 0


def test_has_a_finite_gradient_where_two_embeddings_are_equal():
    import tensorflow as tf

    same = tf.Variable(np.ones((1, 2), "float32"))
    with tf.GradientTape() as tape:
        loss = contrastive_margin(np.array([0]), same, np.ones((1, 2), "float32"))
    assert np.isfinite(tape.gradient(loss, same)).all()
