"""Binary cross-entropy of pairs on their scaled cosine similarity.

The pairwise sigmoid loss of Zhai et al. 2023 (SigLIP, https://arxiv.org/abs/2303.15343), with a
fixed temperature and bias in place of learned ones.
"""

from __future__ import annotations

from keras import ops

from trainer.network.losses.pair_crossentropy import pair_crossentropy


def cosine_crossentropy(targets, left, right, temperature: float = 0.1, even_cosine: float = 0.5):
    """Return the balanced cross-entropy of the logits (cosine - even_cosine) / temperature.

    Args:
        targets: int or float [p], 1 if both images of a pair are of the same class, else 0.
        left: float [p, d], L2-normalized embeddings.
        right: float [p, d], the same of the other side.
        temperature: Smaller is stricter with pairs near `even_cosine`.
        even_cosine: The cosine at which a pair is as likely the same as different.

    Returns:
        float32 [].
    """
    cosine = ops.sum(ops.cast(left, "float32") * ops.cast(right, "float32"), axis=-1)
    return pair_crossentropy(targets, (cosine - even_cosine) / temperature, balanced=True)
