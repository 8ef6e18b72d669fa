"""Shuffled labels pass as better than chance in 2.5 % of trials at most, whatever their number."""

import numpy as np
import pytest

from judging.classifier import hits_by_each_other, nearest_centroid
from judging.gate import CHANCE_LEVEL
from judging.statistics.permutation import permutation_p_value, repeated_p_value

TRIALS = 1000
# Of 1,000 trials at a true 2.5 %, fewer than one in a thousand shows more than 4 %.
MOST = 0.04


def passed(p_values):
    return np.mean([p <= CHANCE_LEVEL for p in p_values])


@pytest.mark.parametrize(("classes", "each"), [(2, 2), (2, 10), (5, 4), (10, 2), (10, 10)])
def test_labels_that_say_nothing_are_no_better_than_chance(classes, each):
    rng = np.random.default_rng(classes * each)
    labels, alone = np.repeat(np.arange(classes), each), np.arange(classes * each)

    def p_value(seed):
        support, query = rng.normal(size=(2, len(labels), 4))
        guess = nearest_centroid(support, labels, query)
        return permutation_p_value(labels, guess, alone, 199, seed)

    assert passed(map(p_value, range(TRIALS))) <= MOST


def test_nor_are_groups_whose_images_are_alike():
    """Twelve groups of six, each of one class: shuffled one by one, images pass far too often."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 6)
    labels = (groups % 2).astype(str)

    def p_values(among):
        guesses = (rng.integers(2, size=12)[groups].astype(str) for _ in range(TRIALS))
        return [
            permutation_p_value(labels, guess, among, 199, i) for i, guess in enumerate(guesses)
        ]

    assert passed(p_values(groups)) <= MOST
    assert passed(p_values(np.arange(72))) > 0.1


def test_nor_are_images_that_are_classified_by_each_other():
    rng = np.random.default_rng(0)
    labels, alone = np.repeat(np.arange(4), 5), np.arange(20)

    def p_value(seed):
        embeddings = rng.normal(size=(20, 4))
        return repeated_p_value(
            lambda some: hits_by_each_other(embeddings, some, alone).sum(), labels, alone, 39, seed
        )

    assert passed(map(p_value, range(120))) <= 0.07


def test_the_p_value_of_few_images_is_the_exact_one():
    """Of 4 images in two classes, one of the six ways to label them agrees with all answers."""
    labels, alone = np.array(["a", "a", "b", "b"]), np.arange(4)
    assert permutation_p_value(labels, labels, alone) == pytest.approx(1 / 6, abs=0.01)
    wrong = np.array(["b", "b", "a", "c"])  # a class that no image is of
    assert permutation_p_value(labels, wrong, alone) == 1


def test_groups_of_several_classes_are_shuffled_by_class():
    groups = np.repeat(np.arange(4), 4)
    labels = np.tile(["a", "a", "b", "b"], 4)
    # Eight units, four of each class: 1 of 70 ways.
    assert permutation_p_value(labels, labels, groups) == pytest.approx(1 / 70, abs=0.005)
