"""Supervised contrastive loss (Khosla et al. 2020, https://arxiv.org/abs/2004.11362)."""

from __future__ import annotations

import keras
from keras import ops


def supervised_contrastive(labels, embeddings, temperature: float = 0.1):
    """Return a loss that attracts embeddings of the same class and repels all others.

    This is the paper's L_out (equation 2). An anchor whose class has no other image in the batch is
    ignored.

    Args:
        labels: int [m], the class of each image.
        embeddings: float [m, d], L2-normalized.
        temperature: Divides the cosine similarities; smaller weighs near negatives more.

    Returns:
        float32 []: the mean over the anchors that have a positive; 0 if none has.
    """
    embeddings = ops.cast(embeddings, "float32")
    count = ops.shape(embeddings)[0]
    logits = ops.matmul(embeddings, ops.transpose(embeddings)) / temperature
    itself = ops.eye(count, dtype="bool")
    positive = ops.logical_and(
        ops.expand_dims(labels, 0) == ops.expand_dims(labels, 1), ops.logical_not(itself)
    )
    logits = ops.where(itself, -1e9, logits)
    log_probability = logits - ops.logsumexp(logits, axis=1, keepdims=True)
    positives = ops.sum(ops.cast(positive, "float32"), axis=1)
    per_anchor = -ops.sum(ops.where(positive, log_probability, 0.0), axis=1) / ops.maximum(
        positives, 1.0
    )
    anchors = ops.sum(ops.cast(positives > 0, "float32"))
    return ops.sum(per_anchor) / ops.maximum(anchors, keras.config.epsilon())
