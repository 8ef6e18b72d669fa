"""Triplet loss with semi-hard negatives (Schroff et al. 2015, https://arxiv.org/abs/1503.03832)."""

from __future__ import annotations

from keras import ops


def triplet_semi_hard(labels, embeddings, margin: float = 0.5):
    """Return the triplet loss of each anchor and positive with a semi-hard negative.

    That is the nearest negative that is farther than the positive or, if there is none, the
    farthest negative.

    Args:
        labels: int [m], the class of each image.
        embeddings: float [m, d], L2-normalized.
        margin: By how much the squared distance to the negative should exceed the positive's.

    Returns:
        float32 []: the mean over pairs of anchor and positive that have a negative; 0 if none has.
    """
    embeddings = ops.cast(embeddings, "float32")
    squares = ops.sum(ops.square(embeddings), axis=1)
    distances = ops.maximum(
        ops.expand_dims(squares, 0)
        + ops.expand_dims(squares, 1)
        - 2.0 * ops.matmul(embeddings, ops.transpose(embeddings)),
        0.0,
    )  # [m, m]
    same = ops.expand_dims(labels, 0) == ops.expand_dims(labels, 1)
    itself = ops.eye(ops.shape(embeddings)[0], dtype="bool")
    positive = ops.logical_and(same, ops.logical_not(itself))
    negative = ops.logical_not(same)

    to_positive = ops.expand_dims(distances, 2)  # [anchor, positive, 1]
    to_negative = ops.expand_dims(distances, 1)  # [anchor, 1, negative]
    beyond = ops.logical_and(ops.expand_dims(negative, 1), to_negative > to_positive)
    nearest_beyond = ops.min(ops.where(beyond, to_negative, 1e9), axis=2)  # [anchor, positive]
    farthest = ops.max(ops.where(negative, distances, -1.0), axis=1, keepdims=True)
    chosen = ops.where(ops.any(beyond, axis=2), nearest_beyond, farthest)
    counted = ops.cast(
        ops.logical_and(positive, ops.any(negative, axis=1, keepdims=True)), "float32"
    )
    losses = ops.maximum(distances - chosen + margin, 0.0)
    return ops.sum(counted * losses) / ops.maximum(ops.sum(counted), 1.0)
