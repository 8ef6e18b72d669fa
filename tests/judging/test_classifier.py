import numpy as np
import pytest
from judge_views import clouds as around
from judge_views import support_set

from judging import classifier
from judging.classifier import (
    Support,
    best_scores,
    class_centroids,
    class_scores,
    classify,
    classify_by_each_other,
    few_shot_accuracy,
    nearest_centroid,
    nearest_neighbour,
)


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


def test_nearest_neighbour_returns_the_label_of_the_nearest():
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


def test_classes_without_support_are_classified_by_the_other_queries():
    query, truth = clouds(3, 4, apart=50)
    support, labels = clouds(2, 4, apart=50)
    assert (
        few_shot_accuracy(
            np.pad(support, ((0, 0), (0, 1))), labels, query, np.char.add(truth, "-new")
        )
        == 1
    )
    # Were a query part of its own centroid, two random points would always be separated.
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


def test_many_support_sets_at_once_are_as_one_by_one():
    rng = np.random.default_rng(0)
    support, query = rng.normal(size=(6, 8, 5)).astype("float32"), rng.normal(size=(6, 3, 5))
    labels = np.array(list("abacabac"))
    together = class_centroids(support, labels).distances(query)
    for i in range(6):
        one_by_one = class_centroids(support[i], labels).distances(query[i])
        np.testing.assert_allclose(together[i], one_by_one, rtol=1e-12)
        best = 1 - together[i].min(axis=1) / 2
        np.testing.assert_allclose(best_scores(support[i], labels, query[i]).cosine, best)


def test_as_simpleshot_one_by_one():
    support = support_set(4)
    points, labels = around(4, 10, 0.5, 0)
    answers = classify(support, points, labels)
    expected = nearest_centroid(support.embeddings, support.labels, points)
    np.testing.assert_array_equal(answers.label, expected)
    assert 0.5 < np.mean(answers.label == labels) < 1
    right = answers.label == labels
    np.testing.assert_allclose(answers.score[right], answers.own_score[right])
    assert (answers.score[~right] > answers.own_score[~right]).all()
    # The rival is the nearest of the class that was given.
    np.testing.assert_array_equal(support.labels[answers.rival], answers.label)
    for i, row in enumerate(answers.neighbours):
        same = [j for j in row if support.labels[j] == answers.label[i]]
        assert not same or same[0] == answers.rival[i]


@pytest.mark.parametrize("scored_by", ["cosine", "margin"])
def test_as_the_served_model_says(scored_by):
    tf = pytest.importorskip("tensorflow")
    from trainer.export.support_set import SupportSet

    support = support_set(4)._replace(scored_by=scored_by)
    points, labels = around(4, 10, 0.5, 0)
    sources = [s.encode() for s in support.sources]
    served = SupportSet(support.embeddings, support.labels, sources, scored_by)
    served = served.classify(tf.constant(points))
    answers = classify(support, points, labels)
    np.testing.assert_array_equal(served["classes"][:, 0].numpy().astype(str), answers.label)
    np.testing.assert_allclose(served["scores"][:, 0], answers.score, atol=1e-6)
    np.testing.assert_array_equal(
        served["nearest"].numpy().astype(str), support.sources[answers.neighbours]
    )


@pytest.mark.parametrize("classes", [1, 2, 3, 6])
def test_scores_by_margin_one_by_one(classes):
    of_classes = np.random.default_rng(0).uniform(-1, 1, size=(50, classes))
    found = class_scores(of_classes, "margin")
    for row, scores in zip(of_classes, found, strict=True):
        for k, cosine in enumerate(row):
            others = np.delete(row, k)
            margin = cosine - others.max() if classes > 1 else 0
            assert scores[k] == pytest.approx((cosine + margin / 2) / 2)
    np.testing.assert_array_equal(np.argsort(found, axis=1), np.argsort(of_classes, axis=1))
    extremes = class_scores(np.array([[1.0, -1], [-1, -1], [1, 1]]), "margin")
    np.testing.assert_allclose(extremes, [[1, -1], [-0.5, -0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(class_scores(of_classes, "cosine"), of_classes)


def test_only_the_score_depends_on_what_it_is_made_of():
    support = support_set(4)
    points, labels = around(4, 10, 0.5, 0)
    one, other = (
        classify(support._replace(scored_by=x), points, labels) for x in ("cosine", "margin")
    )
    for name in ("label", "neighbours", "rival"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_allclose(one.margin, other.margin)
    best = best_scores(support.embeddings, support.labels, points)
    for found, by in ((one, "cosine"), (other, "margin")):
        np.testing.assert_allclose(found.score, best.by(by))
        right = found.label == labels
        np.testing.assert_allclose(found.own_score[right], found.score[right])
        assert (found.own_score[~right] < found.score[~right]).all()


def test_a_class_without_support_has_no_score():
    answers = classify(support_set(3), *around(4, 5, 0.1, 0))
    assert np.isnan(answers.own_score[15:]).all()
    assert not np.isnan(answers.score).any()


def test_by_each_other_is_leave_one_out():
    points, labels = around(5, 6, 0.6, 0)
    answers = classify_by_each_other(points, labels, np.arange(len(labels)))
    expected = few_shot_accuracy(points[:0], labels[:0], points, labels)
    assert np.mean(answers.label == labels) == pytest.approx(expected)
    assert expected < 1
    assert (answers.neighbours != np.arange(len(points))[:, None]).all()


def test_an_image_alone_in_its_class_has_no_score():
    points, labels = around(3, 4, 0.1, 0)
    labels = labels.copy()
    labels[0] = "alone"
    answers = classify_by_each_other(points, labels, np.arange(len(labels)))
    assert np.isnan(answers.own_score[0])
    assert np.isfinite(answers.own_score[1:]).all()
    assert answers.label[0] != "alone"


def test_many_images_are_classified_as_few(monkeypatch):
    support = support_set(4)
    points, labels = around(4, 10, 0.5, 0)
    whole, each_other = (
        classify(support, points, labels),
        classify_by_each_other(points, labels, np.arange(len(labels))),
    )
    monkeypatch.setattr(classifier, "_IMAGES_AT_ONCE", 7)
    for one, other in (
        (whole, classify(support, points, labels)),
        (each_other, classify_by_each_other(points, labels, np.arange(len(labels)))),
    ):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b) if a.dtype.kind == "f" else (
                np.testing.assert_array_equal(a, b)
            )


def test_constant_embeddings_are_all_one_class():
    same = Support(np.ones((6, 3)), np.repeat(["a", "b", "c"], 2), np.arange(6).astype(str))
    answers = classify(same, np.ones((9, 3)), np.repeat(["a", "b", "c"], 3))
    assert len(set(answers.label)) == 1
