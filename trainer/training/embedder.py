"""Embeds images in batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.network.siamese import Siamese


def embedder(model: Siamese, batch: int = 32) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from pixels, uint8 [n, size, size, 3], to embeddings, float32 [n, d].

    Args:
        model: The network; the function follows its weights.
        batch: Images encoded at once.
    """
    return in_batches(tf.function(lambda x: model(x, training=False), reduce_retracing=True), batch)


def in_batches(
    encode: Callable[[np.ndarray], tf.Tensor], batch: int = 32
) -> Callable[[np.ndarray], np.ndarray]:
    """Return `encode` for any number of images, as float32."""

    def run(pixels: np.ndarray) -> np.ndarray:
        parts = [encode(pixels[i : i + batch]) for i in range(0, max(1, len(pixels)), batch)]
        return np.concatenate([np.asarray(part, "float32") for part in parts])

    return run
