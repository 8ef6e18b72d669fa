import numpy as np
import pytest

from trainer.network.losses.supervised_contrastive import supervised_contrastive


def unit_rows(rng, count, size):
    rows = rng.normal(size=(count, size)).astype("float32")
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_the_paper(labels, embeddings, temperature):
    """Equation 2 of Khosla et al. 2020, term by term."""
    losses = []
    for i in range(len(labels)):
        others = [a for a in range(len(labels)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        if not positives:
            continue
        score = {a: np.dot(embeddings[i], embeddings[a]) / temperature for a in others}
        total = sum(np.exp(s) for s in score.values())
        losses.append(-np.mean([np.log(np.exp(score[p]) / total) for p in positives]))
    return np.mean(losses)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 1, 0, 2, 1, 0], [0, 0, 1]])
def test_equals_the_papers_definition(labels, temperature):
    embeddings = unit_rows(np.random.default_rng(0), len(labels), 5)
    loss = supervised_contrastive(np.array(labels), embeddings, temperature)
    assert float(loss) == pytest.approx(
        by_the_paper(labels, embeddings, temperature), rel=1e-4, abs=1e-6
    )


def test_is_zero_without_any_positive():
    embeddings = unit_rows(np.random.default_rng(0), 3, 4)
    assert float(supervised_contrastive(np.arange(3), embeddings)) == 0.0


def test_falls_when_classes_come_together():
    labels = np.array([0, 0, 1, 1])
    apart = np.eye(4, dtype="float32")
    together = np.repeat(np.eye(2, dtype="float32"), 2, axis=0)
    assert float(supervised_contrastive(labels, together)) < float(
        supervised_contrastive(labels, apart)
    )
