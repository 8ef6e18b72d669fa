import numpy as np
import pytest

from judging.thresholds import (
    DEFAULT_KNOWN,
    DEFAULT_SAME,
    known_and_unknown,
    known_from_scores,
    same_threshold,
)


def clouds(classes, each, spread, seed=0, first=0):
    """Points around directions of their own, and their labels."""
    rng = np.random.default_rng(seed)
    centres = np.eye(8)[first : first + classes]
    points = np.repeat(centres, each, axis=0) + rng.normal(scale=spread, size=(classes * each, 8))
    return points, np.repeat([f"c{first + i}" for i in range(classes)], each)


def known_threshold(*sides, max_fpr=None):
    """By cosines, of a support set and queries."""
    found = known_and_unknown(*sides)
    return known_from_scores(found.known.cosine, found.unknown.cosine, max_fpr)


def test_kinds_that_are_apart_are_divided_halfway():
    threshold = same_threshold(np.array([0.1, 0.3, 0.7, 0.9]), np.array([0, 0, 1, 1]))
    assert threshold == pytest.approx(0.5)


def test_both_kinds_of_error_are_equally_frequent_however_many_there_are_of_each():
    rng = np.random.default_rng(0)
    different, same = rng.normal(0.3, 0.1, 20_000), rng.normal(0.6, 0.1, 500)
    threshold = same_threshold(np.concatenate([different, same]), np.repeat([0, 1], [20_000, 500]))
    assert np.mean(different >= threshold) == pytest.approx(np.mean(same < threshold), abs=0.003)
    assert threshold == pytest.approx(0.45, abs=0.01)


@pytest.mark.parametrize(
    ("similarities", "target"),
    [([], []), ([0.2, 0.9], [1, 1]), ([0.2, 0.9], [0, 0]), ([np.nan, 0.9], [0, 1])],
)
def test_nothing_to_choose_by_is_the_default(similarities, target):
    assert same_threshold(np.array(similarities), np.array(target)) == DEFAULT_SAME


def test_equal_scores_leave_a_number():
    assert same_threshold(np.array([0.4, 0.4, 0.4]), np.array([0, 1, 0])) == 0.4


@pytest.mark.parametrize("wanted", [0.0, 0.01, 0.1])
def test_no_more_is_accepted_falsely_than_wanted(wanted):
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.3, 0.1, 1000), rng.normal(0.6, 0.1, 1000)])
    target = np.repeat([0, 1], 1000)
    threshold = same_threshold(scores, target, wanted)
    taken = np.mean(scores[:1000] >= threshold)
    assert taken <= wanted
    # Nor more strictly than needed: with one same pair more, too many others would be taken.
    lower = scores[1000:][scores[1000:] < threshold].max()
    assert np.mean(scores[:1000] >= lower) > wanted
    assert np.mean(scores[1000:] >= threshold) > 0.3


def test_where_no_false_accept_is_wanted_and_the_highest_is_false_nothing_is_accepted():
    threshold = same_threshold(np.array([0.2, 0.9, 0.8]), np.array([1, 0, 1]), 0.0)
    assert np.float32(threshold) > np.float32(0.9)


def test_known_by_a_wanted_false_accept_rate():
    support, labels = clouds(5, 20, 0.4)
    query, truth = clouds(5, 200, 0.4, seed=1)
    found = known_and_unknown(support, labels, query, truth)
    equal, strict = (
        known_threshold(support, labels, query, truth, max_fpr=w) for w in (None, 0.02)
    )
    assert strict > equal
    assert np.mean(found.unknown.cosine >= strict) <= 0.02
    np.testing.assert_allclose(found.known.cosine, _best(support, labels, query))


def test_classes_apart_are_known_and_a_new_one_is_not():
    support, labels = clouds(4, 5, 0.05)
    query, truth = clouds(4, 6, 0.05, seed=1)
    threshold = known_threshold(support, labels, query, truth)
    assert _best(support, labels, query).min() > threshold
    unknown, _ = clouds(1, 6, 0.05, seed=2, first=6)
    assert _best(support, labels, unknown).max() < threshold


def test_it_is_where_misses_and_false_alarms_are_equal():
    support, labels = clouds(5, 20, 0.4)
    query, truth = clouds(5, 200, 0.4, seed=1)
    threshold = known_threshold(support, labels, query, truth)
    missed = np.mean(_best(support, labels, query) < threshold)
    taken = np.concatenate(
        [
            _best(support[labels != c], labels[labels != c], query[truth == c]) >= threshold
            for c in np.unique(labels)
        ]
    ).mean()
    assert missed == pytest.approx(taken, abs=0.01)
    assert 0.02 < missed < 0.45


def test_held_out_classes_are_calibrated_among_themselves():
    support, labels = clouds(3, 5, 0.05)
    query, truth = clouds(4, 6, 0.05, seed=1, first=3)
    threshold = known_threshold(support, labels, query, truth)
    assert threshold == known_threshold(support[:0], labels[:0], query, truth)
    assert _best(query[::2], truth[::2], query[1::2]).min() > threshold > 0


def test_images_of_one_group_are_either_support_or_query():
    support, labels = clouds(3, 5, 0.05)
    query, truth = clouds(4, 6, 0.05, seed=1, first=3)
    groups = np.arange(24) // 3  # two groups a class
    found = known_and_unknown(support, labels, query, truth, groups)
    assert set(groups[found.queries]) == {1, 3, 5, 7}
    across = np.where(np.arange(24) % 6 == 0, 99, np.arange(24))  # one group in all classes
    found = known_and_unknown(support, labels, query, truth, across)
    assert 99 not in across[found.queries]
    assert len(found.queries) == 12
    alone = known_and_unknown(support, labels, query, truth)
    assert alone.queries.tolist() == list(range(1, 24, 2))


@pytest.mark.parametrize("classes", [1, 2])
def test_with_too_few_classes_none_can_be_left_out(classes):
    support, labels = clouds(classes, 5, 0.05)
    assert known_and_unknown(support, labels, support, labels) is None


def test_held_out_classes_of_one_image_each_leave_no_query():
    query, truth = clouds(4, 1, 0.05)
    assert known_and_unknown(query, np.char.add(truth, "x"), query, truth) is None


def test_no_query_and_no_number():
    support, labels = clouds(4, 5, 0.05)
    assert known_and_unknown(support, labels, support[:0], labels[:0]) is None
    assert known_from_scores(np.empty(0), np.empty(0)) == DEFAULT_KNOWN
    assert known_threshold(support, labels, support * np.nan, labels) == DEFAULT_KNOWN


def _best(support, labels, query):
    """Of SimpleShot, step by step."""
    classes = np.unique(labels)
    centre = np.mean([support[labels == c].mean(0) for c in classes], axis=0)

    def normal(x):
        return (x - centre) / np.linalg.norm(x - centre, axis=1, keepdims=True)

    rows = normal(support)
    centroids = np.array([rows[labels == c].mean(0) for c in classes])
    distances = ((normal(query)[:, None] - centroids[None]) ** 2).sum(2)
    return 1 - distances.min(1) / 2
