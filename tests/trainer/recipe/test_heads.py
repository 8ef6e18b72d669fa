import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from judging.classifier import nearest_centroid
from trainer.recipe.heads import CANDIDATES, Candidate, in_span, of_image, prepare


def blobs(each, size=12, classes=3, views=1, seed=0):
    """Classes whose difference is hidden in directions that vary much."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each).astype(str)
    spread = np.geomspace(3, 0.2, size)
    means = np.random.default_rng(99).normal(size=(classes, size)) * 0.4
    rows = means[labels.astype(int)][:, None] + rng.normal(size=(len(labels), views, size)) * spread
    return rows / 10 + 1, labels


def test_features_are_power_transformed_and_of_length_one():
    prepared = prepare(np.array([[4.0, -9.0, 0.0]]))
    np.testing.assert_allclose(prepared, np.array([[2.0, -3.0, 0.0]]) / np.sqrt(13))


def test_nearest_centroid_only_centres():
    rows, labels = blobs(5)
    head = Candidate("nearest_centroid").fit(rows, labels)
    centre = np.mean([of_image(rows)[labels == c].mean(0) for c in np.unique(labels)], axis=0)
    expected = of_image(rows) - centre
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(head.embed(rows), expected)


def test_the_discriminant_classifies_as_shrunken_lda():
    rows, labels = blobs(200)
    query, truth = blobs(300, seed=1)
    head = Candidate("discriminant", 0.05).fit(rows, labels)
    ours = nearest_centroid(head.embed(rows), labels, head.embed(query))
    reference = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.05)
    theirs = reference.fit(of_image(rows), labels).predict(of_image(query))
    # Embeddings are of length one, which in few dimensions costs a little.
    assert np.mean(ours == truth) > np.mean(theirs == truth) - 0.1
    simple = Candidate("nearest_centroid").fit(rows, labels)
    plain = nearest_centroid(simple.embed(rows), labels, simple.embed(query))
    assert np.mean(ours == truth) > np.mean(plain == truth) + 0.1


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_few_images_of_many_features_are_fitted_in_their_span(candidate):
    rows, labels = blobs(4, size=60, views=2)
    reduced = in_span(rows)
    assert reduced.shape == (12, 2, 24)
    whole, small = candidate.fit(rows, labels), candidate.fit(reduced, labels)
    one, other = whole.embed(rows), small.embed(reduced)
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=1e-6)


def test_what_no_image_shows_is_kept_for_new_classes():
    rows, labels = blobs(4, size=60)
    head = Candidate("discriminant", 0.5).fit(rows, labels)
    unseen = np.zeros((2, 1, 60))
    unseen[:, 0] = np.linalg.svd(rows[:, 0])[2][-2:]  # orthogonal to all images
    first, second = unseen[:, 0] @ head.matrix
    np.testing.assert_allclose(np.linalg.norm(first), 0.3, rtol=1e-6)
    assert abs(first @ second) < 1e-9


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_equal_images_do_not_break_it(candidate):
    rows = np.ones((6, 1, 5))
    head = candidate.fit(rows, np.array(list("aabbcc")))
    assert np.isfinite(head.embed(rows)).all()
