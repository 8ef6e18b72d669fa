"""Orders images by how much a label of each would help: uncertainty and diversity together.

Greedy farthest-first traversal (the k-center algorithm of Gonzalez 1985; core sets for active
learning, Sener and Savarese 2018), with distances weighted by how unsure the model is.
"""

from __future__ import annotations

import numpy as np

FLOOR = 0.5
"""Weight of an image that the model is sure of; one that it is unsure of weighs 1."""


def by_priority(
    embeddings: np.ndarray, unsure: np.ndarray, seen: np.ndarray | None, count: int
) -> list[int]:
    """Return the indices of the images to look at, the most helpful first.

    Args:
        embeddings: float [n, d].
        unsure: float [n] in [0, 1], how unsure the model is of each.
        seen: float [m, d], images whose class is known; None: none.
        count: How many to return, at most n.
    """
    z = _normalized(embeddings)
    weight = FLOOR + (1 - FLOOR) * np.clip(unsure, 0, 1)
    nearest = np.full(len(z), 2.0)
    if seen is not None:
        for one in _normalized(seen):
            nearest = np.minimum(nearest, 1 - z @ one)
    chosen: list[int] = []
    left = np.ones(len(z), bool)
    for _ in range(min(count, len(z))):
        gain = np.where(left, weight * np.maximum(nearest, 0), -1.0)
        best = int(np.argmax(gain))
        chosen.append(best)
        left[best] = False
        nearest = np.minimum(nearest, 1 - z @ z[best])
    return chosen


def _normalized(x: np.ndarray) -> np.ndarray:
    """Return float64 rows of length one."""
    x = np.asarray(x, np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
