import numpy as np
import pytest
from scipy import special

from judging.classifier import class_centroids, class_scores, cosines
from judging.probabilities import DEFAULT_TEMPERATURE, temperature


def clouds(classes, each, spread, seed):
    """Embeddings around the same class means for all seeds, and their labels."""
    means = np.random.default_rng(0).normal(size=(classes, 8))
    noise = np.random.default_rng(seed + 1).normal(size=(classes * each, 8))
    labels = np.repeat([f"c{i}" for i in range(classes)], each)
    return np.repeat(means, each, axis=0) + spread * noise, labels


def probabilities(support, labels, query, by, scored_by="cosine"):
    known = class_centroids(support, labels)
    scores = class_scores(cosines(known.distances(query)), scored_by)
    return known.classes, special.softmax(scores / by, axis=1)


@pytest.mark.parametrize("scored_by", ["cosine", "margin"])
@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_the_best_classs_probability_is_how_often_it_is_correct(spread, scored_by):
    support, labels = clouds(4, 50, spread, 0)
    by = temperature(support, labels, *clouds(4, 500, spread, 1), scored_by)
    query, truth = clouds(4, 2000, spread, 2)
    classes, found = probabilities(support, labels, query, by, scored_by)
    correct = classes[found.argmax(axis=1)] == truth
    assert found.max(axis=1).mean() == pytest.approx(correct.mean(), abs=0.03)


def test_few_images_without_an_error_do_not_give_certainty():
    support, labels = clouds(3, 5, 0.01, 0)
    least = []
    for each in (2, 20):
        query, truth = clouds(3, each, 0.01, 1)
        by = temperature(support, labels, query, truth)
        _, found = probabilities(support, labels, query, by)
        least.append(found.max(axis=1).mean())
    assert least[0] == pytest.approx(7 / 8, abs=0.03)
    assert least[1] == pytest.approx(61 / 62, abs=0.03)


@pytest.mark.parametrize(
    ("support", "query"),
    [
        (clouds(1, 5, 1, 0), clouds(1, 5, 1, 1)),
        (clouds(3, 5, 1, 0), (np.zeros([0, 8]), np.array([], str))),
        (clouds(2, 5, 1, 0), clouds(3, 5, 1, 1)),
        (clouds(2, 5, 1, 0), (np.full([2, 8], np.nan), np.array(["c0", "c1"]))),
    ],
)
def test_nothing_to_calibrate_on(support, query):
    assert temperature(*support, *query) == DEFAULT_TEMPERATURE
