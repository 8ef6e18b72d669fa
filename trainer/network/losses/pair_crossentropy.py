"""Binary cross-entropy of pairs, as in the 2019 article; optionally balanced."""

from __future__ import annotations

import keras
from keras import ops


def pair_crossentropy(targets, similarities, balanced: bool = False):
    """Mean binary cross-entropy of the pairs' similarities.

    Args:
        targets: int or float [p], 1 where both images of a pair are of the same class, else 0.
        similarities: float [p], in [0, 1].
        balanced: Give all same-class pairs together the weight of all others together. A block of
            n classes holds n - 1 different pairs for each same one, and unbalanced similarities
            would sink below 0.5.

    Returns:
        float32 [].
    """
    targets = ops.cast(targets, "float32")
    similarities = ops.clip(
        ops.cast(similarities, "float32"), keras.config.epsilon(), 1 - keras.config.epsilon()
    )
    losses = -(targets * ops.log(similarities) + (1.0 - targets) * ops.log(1.0 - similarities))
    if not balanced:
        return ops.mean(losses)
    same, different = ops.sum(targets), ops.sum(1.0 - targets)
    weights = targets / ops.maximum(same, 1.0) + (1.0 - targets) / ops.maximum(different, 1.0)
    return ops.sum(weights * losses) / ops.maximum(ops.sum(weights), keras.config.epsilon())
