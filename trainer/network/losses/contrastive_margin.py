"""Contrastive loss with a margin (Hadsell et al. 2006, https://doi.org/10.1109/CVPR.2006.100)."""

from __future__ import annotations

from keras import ops


def contrastive_margin(targets, left, right, margin: float = 0.5):
    """Return a loss that attracts same-class pairs and repels others up to a distance `margin`.

    Both kinds of pairs have the same weight, however many there are of each.

    Args:
        targets: int or float [p], 1 if both images of a pair are of the same class, else 0.
        left: float [p, d], embeddings.
        right: float [p, d], the same of the other side.
        margin: Euclidean distance beyond which a pair of different classes costs nothing.

    Returns:
        float32 [].
    """
    targets = ops.cast(targets, "float32")
    squared = ops.sum(ops.square(ops.cast(left, "float32") - ops.cast(right, "float32")), axis=-1)
    # The square root's gradient is infinite at zero.
    distance = ops.sqrt(ops.maximum(squared, 1e-12))
    apart = ops.square(ops.maximum(margin - distance, 0.0))
    same, different = ops.sum(targets), ops.sum(1.0 - targets)
    pull = ops.sum(targets * squared) / ops.maximum(same, 1.0)
    push = ops.sum((1.0 - targets) * apart) / ops.maximum(different, 1.0)
    return (pull + push) / 2.0
