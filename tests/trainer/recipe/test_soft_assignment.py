import numpy as np
import pytest

from judging.classifier import nearest_centroid, normalize
from trainer.recipe.heads import WITH_UNLABELLED, Candidate
from trainer.recipe.soft_assignment import class_weights


def clouds(each, classes=4, size=40, spread=0.14, seed=0, first=0):
    """Vectors of length one around a mean for each class, and their classes."""
    means = np.abs(np.random.default_rng(5).normal(size=(10, size)))
    labels = np.repeat(np.arange(first, first + classes), each)
    rows = (
        normalize(means)[labels]
        + np.random.default_rng(seed).normal(size=(len(labels), size)) * spread
    )
    return normalize(rows), labels


def accuracy(head, labelled, labels, query, truth):
    found = nearest_centroid(head.embed(labelled[:, None]), labels, head.embed(query[:, None]))
    return np.mean(found == truth)


def test_unlabelled_images_find_their_classes():
    one, labels = clouds(1)
    others, truth = clouds(30, seed=1)
    weights = class_weights(one, labels, others)
    assert weights.shape == (120, 4)
    assert (weights.sum(axis=1) <= 1 + 1e-9).all()
    assert np.mean(weights.argmax(axis=1) == truth) > 0.95


@pytest.mark.parametrize("strangers", [0, 60])
def test_they_help_where_each_class_has_one_labelled_image(strangers):
    """Even where a third of them are of no class."""
    gains = []
    for seed in range(5):
        one, labels = clouds(1, seed=100 + seed)
        others, _ = clouds(30, seed=seed)
        unknown, _ = clouds(strangers, classes=1, first=8, seed=seed)
        query, truth = clouds(50, seed=200 + seed)
        every = np.concatenate([others, unknown])[:, None]
        plain = Candidate("nearest_centroid").fit(one[:, None], labels)
        helped = WITH_UNLABELLED.fit(one[:, None], labels, every)
        gains.append(
            accuracy(helped, one, labels, query, truth) - accuracy(plain, one, labels, query, truth)
        )
    assert min(gains) > 0
    assert np.mean(gains) > 0.05


def test_images_of_another_kind_are_of_no_class():
    one, labels = clouds(2, classes=2)
    others, _ = clouds(20, classes=2, seed=1)
    unknown = -clouds(20, classes=1, first=8, seed=1)[0]  # so that the classes seem alike
    weights = class_weights(one, labels, np.concatenate([others, unknown])).sum(axis=1)
    assert weights[:40].mean() > 0.9
    assert weights[40:].mean() < 0.1


def test_few_or_equal_ones_do_not_break_it():
    one, labels = clouds(2)
    for others in (one[:1], np.repeat(one[:1], 5, axis=0)):
        head = WITH_UNLABELLED.fit(one[:, None], labels, others[:, None])
        assert np.isfinite(head.embed(one[:, None])).all()
    none = WITH_UNLABELLED.fit(one[:, None], labels)
    plain = Candidate("discriminant", 0.5).fit(one[:, None], labels)
    np.testing.assert_array_equal(none.matrix, plain.matrix)
