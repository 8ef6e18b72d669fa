"""Exact search for the nearest embeddings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Nearest(NamedTuple):
    """The nearest embeddings of n queries, nearest first.

    Attributes:
        indices: int [n, k].
        similarities: float32 [n, k], cosines in [-1, 1].
    """

    indices: np.ndarray
    similarities: np.ndarray


def nearest(queries: np.ndarray, vectors: np.ndarray, count: int) -> Nearest:
    """Return the nearest of m embeddings by cosine; compares each query with all of them.

    100,000 embeddings of 1,280 numbers take 0.5 GB, and 0.2 s a query on two cores.

    Args:
        queries: float32 [n, d].
        vectors: float32 [m, d].
        count: k; fewer are returned if m is smaller.
    """
    similarities = (queries / _lengths(queries)[:, None]) @ vectors.T / _lengths(vectors)
    count = min(count, len(vectors))
    found = np.argpartition(-similarities, count - 1, axis=1)[:, :count]
    values = np.take_along_axis(similarities, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return Nearest(
        np.take_along_axis(found, order, axis=1), np.take_along_axis(values, order, axis=1)
    )


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the Euclidean norms [m] of vectors [m, d]; 1 for those of zeros."""
    lengths = np.sqrt(np.einsum("md,md->m", vectors, vectors))  # without a copy of them
    return np.where(lengths > 0, lengths, 1)
