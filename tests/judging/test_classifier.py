import numpy as np
import pytest

from judging.classifier import few_shot_accuracy, nearest_centroid, nearest_neighbour


def clouds(classes, each, apart, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.eye(classes) * apart
    points = np.concatenate([c + rng.normal(size=(each, classes)) for c in centres])
    return points, np.repeat([f"c{i}" for i in range(classes)], each)


def test_nearest_centroid_equals_simpleshot_step_by_step():
    support, labels = clouds(4, 5, apart=2)
    query, _ = clouds(4, 7, apart=2, seed=1)
    centre = np.mean([support[labels == c].mean(0) for c in np.unique(labels)], axis=0)

    def cl2n(rows):
        return np.array([(r - centre) / np.linalg.norm(r - centre) for r in rows])

    centroids = {c: cl2n(support[labels == c]).mean(0) for c in np.unique(labels)}
    expected = [min(centroids, key=lambda c: np.sum((q - centroids[c]) ** 2)) for q in cl2n(query)]
    assert nearest_centroid(support, labels, query).tolist() == expected


def test_nearest_neighbour_takes_the_label_of_the_nearest():
    support = np.array([[0, 0], [10, 0]], "uint8")
    query = np.array([[3, 0], [9, 1]])
    assert nearest_neighbour(support, np.array(["a", "b"]), query).tolist() == ["a", "b"]


def test_large_classes_do_not_draw_the_centre():
    support = np.array([[1.0, 0]] * 50 + [[0, 1.0]])
    labels = np.array(["many"] * 50 + ["one"])
    assert nearest_centroid(support, labels, np.array([[0.6, 0.4], [0.4, 0.6]])).tolist() == [
        "many",
        "one",
    ]


def test_accuracy_of_classes_that_the_support_set_knows():
    support, labels = clouds(3, 10, apart=50)
    query, truth = clouds(3, 4, apart=50, seed=1)
    assert few_shot_accuracy(support, labels, query, truth) == 1.0
    wrong = np.roll(truth, 4)
    assert few_shot_accuracy(support, labels, query, wrong) == 0.0


def test_unknown_classes_are_judged_among_themselves_each_query_left_out():
    query, truth = clouds(3, 4, apart=50)
    support, labels = clouds(2, 4, apart=50)
    assert (
        few_shot_accuracy(
            np.pad(support, ((0, 0), (0, 1))), labels, query, np.char.add(truth, "-new")
        )
        == 1
    )
    # Were a query part of its own centroid, two random points would be told apart for certain.
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(400, 50))
    unrelated = np.array([f"n{i // 2}" for i in range(400)])
    assert few_shot_accuracy(noise[:2], np.array(["x", "y"]), noise, unrelated) < 0.1


def test_nothing_to_judge_is_not_a_number():
    points, labels = clouds(2, 1, apart=1)
    assert np.isnan(few_shot_accuracy(points, labels, points[:0], labels[:0]))
    assert np.isnan(few_shot_accuracy(points, np.array(["x", "y"]), points, labels))


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_at_chance(seed):
    rng = np.random.default_rng(seed)
    support, query = rng.normal(size=(2, 1000, 20))
    labels = np.repeat(list("abcde"), 200)
    assert few_shot_accuracy(support, labels, query, labels) == pytest.approx(0.2, abs=0.06)
