import numpy as np
import pytest
from judge_views import clouds, support_set

from judging.classifier import few_shot_accuracy, nearest_centroid
from judging.metrics import classification
from judging.metrics.classification import Support, by_each_other, by_support


def test_as_simpleshot_one_by_one():
    support = support_set(4)
    points, labels = clouds(4, 10, 0.5, 0)
    answers = by_support(support, points, labels)
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


def test_as_the_served_model_says(monkeypatch):
    tf = pytest.importorskip("tensorflow")
    from trainer.export.support_set import SupportSet

    support = support_set(4)
    points, labels = clouds(4, 10, 0.5, 0)
    sources = [s.encode() for s in support.sources]
    served = SupportSet(support.embeddings, support.labels, sources).classify(tf.constant(points))
    answers = by_support(support, points, labels)
    np.testing.assert_array_equal(served["classes"][:, 0].numpy().astype(str), answers.label)
    np.testing.assert_allclose(served["scores"][:, 0], answers.score, atol=1e-6)
    np.testing.assert_array_equal(
        served["nearest"].numpy().astype(str), support.sources[answers.neighbours]
    )


def test_a_class_without_support_has_no_score():
    answers = by_support(support_set(3), *clouds(4, 5, 0.1, 0))
    assert np.isnan(answers.own_score[15:]).all()
    assert not np.isnan(answers.score).any()


def test_by_each_other_is_leave_one_out():
    points, labels = clouds(5, 6, 0.6, 0)
    answers = by_each_other(points, labels)
    expected = few_shot_accuracy(points[:0], labels[:0], points, labels)
    assert np.mean(answers.label == labels) == pytest.approx(expected)
    assert expected < 1
    assert (answers.neighbours != np.arange(len(points))[:, None]).all()


def test_an_image_alone_in_its_class_cannot_be_told():
    points, labels = clouds(3, 4, 0.1, 0)
    labels = labels.copy()
    labels[0] = "alone"
    answers = by_each_other(points, labels)
    assert np.isnan(answers.own_score[0])
    assert np.isfinite(answers.own_score[1:]).all()
    assert answers.label[0] != "alone"


def test_many_images_are_told_as_few(monkeypatch):
    support = support_set(4)
    points, labels = clouds(4, 10, 0.5, 0)
    whole, each_other = by_support(support, points, labels), by_each_other(points, labels)
    monkeypatch.setattr(classification, "_AT_ONCE", 7)
    for one, other in (
        (whole, by_support(support, points, labels)),
        (each_other, by_each_other(points, labels)),
    ):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b) if a.dtype.kind == "f" else (
                np.testing.assert_array_equal(a, b)
            )


def test_constant_embeddings_are_all_one_class():
    same = Support(np.ones((6, 3)), np.repeat(["a", "b", "c"], 2), np.arange(6).astype(str))
    answers = by_support(same, np.ones((9, 3)), np.repeat(["a", "b", "c"], 3))
    assert len(set(answers.label)) == 1
