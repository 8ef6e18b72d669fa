import numpy as np
import pytest
import tensorflow as tf

from judging.classifier import class_centroids, class_scores
from trainer.export.support_set import SupportSet


def random_set(count, classes, seed=0, size=5):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(count, size)).astype("float32")
    labels = np.array([f"clàss {i % classes}" for i in range(count)])
    return embeddings, labels, [b"%d.png" % i for i in range(count)]


def put(support, embeddings, labels, sources):
    encoded = [label.encode() for label in labels.tolist()]
    support.replace(tf.constant(embeddings), tf.constant(encoded), tf.constant(sources))


def assert_answers_as_numpy(support, embeddings, labels, sources, scored_by="cosine"):
    known = class_centroids(embeddings, labels)
    queries = np.random.default_rng(9).normal(size=(7, 5)).astype("float32")
    distances = known.distances(queries)
    order = np.argsort(distances, axis=1)
    answer = support.classify(tf.constant(queries))
    assert [[name.decode() for name in row] for row in answer["classes"].numpy()] == [
        known.classes[row].tolist() for row in order
    ]
    scores = class_scores(1 - distances / 2, scored_by)
    np.testing.assert_allclose(
        answer["scores"], np.take_along_axis(scores, order, axis=1), rtol=1e-5, atol=1e-6
    )
    similarities = known.centred(queries) @ known.centred(embeddings).T
    nearest = [[sources[i] for i in row[:5]] for row in np.argsort(-similarities, axis=1)]
    assert answer["nearest"].numpy().tolist() == nearest


def test_classifies_like_numpy():
    embeddings, labels, sources = random_set(12, 4)
    support = SupportSet(embeddings, labels, sources)
    known = class_centroids(embeddings, labels)
    np.testing.assert_allclose(support._centre, known.centre, rtol=1e-12)
    np.testing.assert_allclose(support._centroids._rows, known.centroids, rtol=1e-12)
    assert [name.decode() for name in support._classes.numpy()] == known.classes.tolist()
    assert_answers_as_numpy(support, embeddings, labels, sources)


def test_a_large_class_does_not_move_the_centre():
    embeddings, _, sources = random_set(12, 1)
    labels = np.array(["few"] * 2 + ["many"] * 10)
    assert_answers_as_numpy(SupportSet(embeddings, labels, sources), embeddings, labels, sources)


def test_replaces_all():
    support = SupportSet(*random_set(12, 4))
    other = random_set(7, 2, seed=1)
    put(support, *other)
    assert_answers_as_numpy(support, *other)
    np.testing.assert_array_equal(support.embeddings, other[0])
    assert [label.decode() for label in support.labels.numpy()] == other[1].tolist()
    assert support.sources.numpy().tolist() == other[2]


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_scores_by_margin_stay_so_with_other_classes(classes):
    support = SupportSet(*random_set(12, 4), "margin")
    assert_answers_as_numpy(support, *random_set(12, 4), "margin")
    other = random_set(7, classes, seed=1)
    put(support, *other)
    assert_answers_as_numpy(support, *other, "margin")
    assert support.scored_by.numpy() == b"margin"


@pytest.mark.parametrize("scored_by", ["cosine", "margin"])
@pytest.mark.parametrize("classes", [1, 2, 4])
def test_the_score_of_each_class_is_linear_in_the_embedding(classes, scored_by):
    support = SupportSet(*random_set(12, classes), scored_by)
    queries = np.random.default_rng(9).normal(size=(7, 5)).astype("float32")
    answer = support.classify(tf.constant(queries))
    for place in range(classes):
        toward = support.toward(tf.constant(queries), answer["classes"][:, place])
        found = np.sum(queries * toward.direction, axis=1) + toward.offset
        np.testing.assert_allclose(found, answer["scores"][:, place], atol=1e-5)
    best = support.toward(tf.constant(queries), tf.fill([7], ""))
    assert best.label.numpy().tolist() == answer["classes"][:, 0].numpy().tolist()
    none = support.toward(tf.constant(queries), tf.fill([7], "no class"))
    assert np.isnan(none.offset).all()


def test_a_small_set_returns_all_its_images_as_evidence():
    assert SupportSet(*random_set(3, 2)).classify(tf.zeros([2, 5]))["nearest"].shape == (2, 3)


def test_equal_scores_are_in_the_order_of_the_names():
    embeddings = np.array([[0, 1], [1, 0]], "float32")
    support = SupportSet(embeddings, np.array(["b", "a"]), [b"1", b"2"])
    assert support.classify(tf.constant([[2.0, 2.0]]))["classes"].numpy().tolist() == [[b"a", b"b"]]


@pytest.mark.parametrize(
    ("embeddings", "labels", "sources"),
    [
        (np.zeros((0, 5)), [], []),
        (np.zeros((2, 5)), ["a"], ["1"]),
        (np.zeros((2, 5)), ["a", "b"], ["1"]),
        (np.zeros((2, 4)), ["a", "b"], ["1", "2"]),
    ],
)
def test_an_invalid_replacement_changes_nothing(embeddings, labels, sources):
    before = random_set(6, 3)
    support = SupportSet(*before)
    with pytest.raises(tf.errors.InvalidArgumentError):
        support.replace(
            tf.constant(embeddings, tf.float32),
            tf.constant(labels, tf.string),
            tf.constant(sources, tf.string),
        )
    assert_answers_as_numpy(support, *before)


def test_the_support_set_has_no_trainable_variables():
    assert SupportSet(*random_set(6, 3)).trainable_variables == ()
