"""Binary cross-entropy of pairs, as in the 2019 article; optionally balanced."""

from __future__ import annotations

import keras
from keras import ops


def pair_crossentropy(targets, logits, balanced: bool = False):
    """Return the mean binary cross-entropy of pairs.

    It is computed from logits: a probability rounds to 0 or 1 where a pair is most wrong, and has
    no gradient there.

    Args:
        targets: int or float [p], 1 if both images of a pair are of the same class, else 0.
        logits: float [p], of the probability that they are.
        balanced: Give all same-class pairs together the weight of all other pairs together. A block
            of n classes holds n - 1 different pairs for each same one; unbalanced, all similarities
            would sink below 0.5.

    Returns:
        float32 [].
    """
    targets, logits = ops.cast(targets, "float32"), ops.cast(logits, "float32")
    losses = ops.softplus(logits) - targets * logits
    if not balanced:
        return ops.mean(losses)
    same, different = ops.sum(targets), ops.sum(1.0 - targets)
    weights = targets / ops.maximum(same, 1.0) + (1.0 - targets) / ops.maximum(different, 1.0)
    return ops.sum(weights * losses) / ops.maximum(ops.sum(weights), keras.config.epsilon())
