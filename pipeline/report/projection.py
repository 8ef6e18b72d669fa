"""Embeddings in two dimensions."""

from __future__ import annotations

import numpy as np

from judging.classifier import normalize

PCA, TSNE = "PCA", "t-SNE"

_FEWEST = 12
"""Images from which on t-SNE has neighbours to keep."""
_MOST_DIMENSIONS = 50


def project(embeddings: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
    """Return layouts float [n, 2] in [0, 1] by name, the best for looking first.

    t-SNE is that of van der Maaten and Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html.

    Args:
        embeddings: float [n, d]; as for the classifier, they are centred and scaled to length one.

    Returns:
        The layouts; the share of the variance that the two components of PCA keep.
    """
    rows = normalize(embeddings.astype("float64") - embeddings.mean(axis=0))
    rows = rows - rows.mean(axis=0)
    left, lengths, _ = np.linalg.svd(rows, full_matrices=False)
    components = left * lengths
    flat = np.zeros((len(rows), 2))
    flat[:, : min(2, components.shape[1])] = components[:, :2]
    kept = float((lengths[:2] ** 2).sum() / max((lengths**2).sum(), 1e-12))
    layouts = {PCA: _scaled(flat)}
    if len(rows) >= _FEWEST and lengths[0] > 1e-9:
        layouts = {TSNE: _scaled(_tsne(components[:, :_MOST_DIMENSIONS])), **layouts}
    return layouts, kept


def _tsne(rows: np.ndarray) -> np.ndarray:
    from sklearn import manifold

    perplexity = min(30.0, (len(rows) - 1) / 3)
    embedder = manifold.TSNE(
        perplexity=perplexity, init="pca", learning_rate="auto", max_iter=500, random_state=0
    )
    return embedder.fit_transform(rows.astype("float32"))


def _scaled(points: np.ndarray) -> np.ndarray:
    """Return points [n, 2] scaled to [0, 1] on each axis; without extent they are in the middle."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.where(high - low > 1e-12, high - low, 1)
    return np.where(high - low > 1e-12, (points - low) / span, 0.5)
