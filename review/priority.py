"""Orders images by how much a label of each would help: uncertainty, density and diversity.

Greedy facility location (Wei, Iyer and Bilmes 2015, for active learning): the next image is the one
that makes the images that the model is unsure of most similar to some image whose class will be
known. So it stands for many, which an outlier does not, and for others than those before it.
"""

from __future__ import annotations

import numpy as np

FLOOR = 0.3
"""Weight of an image that the model is sure of; one that it is unsure of weighs 1."""

SHARPNESS = 4.0
"""Similarity is exp(-SHARPNESS * cosine distance)."""

CANDIDATES = 400
"""Only so many are considered, those that the model is most unsure of."""


def by_priority(
    embeddings: np.ndarray, unsure: np.ndarray, seen: np.ndarray | None, count: int
) -> list[int]:
    """Return the indices of the images to look at, the most helpful first.

    Args:
        embeddings: float [n, d].
        unsure: float [n] in [0, 1], how unsure the model is of each.
        seen: float [m, d], images whose class is known; None: none.
        count: How many to return; at most n and `CANDIDATES` are.
    """
    candidates = np.argsort(-unsure, kind="stable")[:CANDIDATES]
    z = _normalized(embeddings[candidates])
    weight = FLOOR + (1 - FLOOR) * np.clip(unsure[candidates], 0, 1)
    similarity = _similarity(z, z)
    covered = np.zeros(len(z))
    if seen is not None:
        covered = _similarity(z, _normalized(seen)).max(axis=1)
    chosen: list[int] = []
    for _ in range(min(count, len(z))):
        gain = weight @ np.maximum(similarity - covered[:, None], 0)
        gain[chosen] = -1
        best = int(np.argmax(gain))
        chosen.append(best)
        covered = np.maximum(covered, similarity[best])
    return candidates[chosen].tolist()


def _similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-SHARPNESS * (1 - a @ b.T))


def _normalized(x: np.ndarray) -> np.ndarray:
    """Return float64 rows of length one."""
    x = np.asarray(x, np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
