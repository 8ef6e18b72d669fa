import numpy as np
import pytest

from trainer.network.losses.triplet_semi_hard import triplet_semi_hard


def by_the_paper(labels, embeddings, margin):
    """Each anchor and positive, with its semi-hard negative, one by one."""
    distances = ((embeddings[:, None] - embeddings[None]) ** 2).sum(-1)
    losses = []
    for a in range(len(labels)):
        negatives = [distances[a, n] for n in range(len(labels)) if labels[n] != labels[a]]
        for p in range(len(labels)):
            if p == a or labels[p] != labels[a] or not negatives:
                continue
            beyond = [d for d in negatives if d > distances[a, p]]
            chosen = min(beyond) if beyond else max(negatives)
            losses.append(max(0.0, distances[a, p] - chosen + margin))
    return np.mean(losses) if losses else 0.0


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 1, 0, 2, 1, 0, 2], [0, 0, 1], [0, 0], [0, 1]])
def test_equals_a_search_one_by_one(labels):
    for seed in range(5):
        embeddings = np.random.default_rng(seed).normal(size=(len(labels), 3)).astype("float32")
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        loss = triplet_semi_hard(np.array(labels), embeddings, margin=0.3)
        expected = by_the_paper(labels, embeddings, 0.3)
        assert float(loss) == pytest.approx(expected, rel=1e-4, abs=1e-6)
