"""Binary cross-entropy of pairs on their scaled cosine similarity.

The pairwise sigmoid loss of Zhai et al. 2023 (SigLIP, https://arxiv.org/abs/2303.15343), with a
fixed temperature and bias in place of learned ones.
"""

from __future__ import annotations

from keras import ops

from trainer.network.losses.pair_crossentropy import pair_crossentropy


def cosine_crossentropy(targets, left, right, temperature: float = 0.1, margin: float = 0.5):
    """Cross-entropy of sigmoid((cosine - margin) / temperature), both kinds of pairs balanced.

    Args:
        targets: int or float [p], 1 where both images of a pair are of the same class, else 0.
        left: float [p, d], L2-normalized embeddings.
        right: float [p, d], the same for the other side.
        temperature: Smaller is stricter about pairs near the margin.
        margin: The cosine at which a pair is as likely the same as not.

    Returns:
        float32 [].
    """
    cosine = ops.sum(ops.cast(left, "float32") * ops.cast(right, "float32"), axis=-1)
    return pair_crossentropy(targets, ops.sigmoid((cosine - margin) / temperature), balanced=True)
