import numpy as np

from judging.classifier import class_scores
from trainer.recipe.cross_validation import LabelledFeatures, cross_validate, unknown_scores
from trainer.recipe.heads import Candidate, prepare

SIMPLE = Candidate("nearest_centroid")


def images(each=8, classes=4, spread=0.2, size=10, groups=None, new_classes=False, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat([f"c{i}" for i in range(classes)], each)
    means = np.random.default_rng(7).random((classes, size))
    features = np.repeat(means, each, axis=0) + rng.normal(size=(len(labels), size)) * spread
    numbered = np.arange(len(labels)) if groups is None else groups
    prepared = prepare(np.abs(features))[:, None]
    return LabelledFeatures(prepared, labels, numbered, new_classes)


def test_each_image_is_judged_by_heads_without_it():
    found = cross_validate(SIMPLE, images(), seed=0)
    assert np.isfinite(found.right).all()
    assert found.accuracy == found.right.mean() > 0.8
    assert found.auc > 0.8
    assert len(found.class_cosines) == len(found.scores.cosine) == 5 * 32
    assert np.mean(found.class_cosines.argmax(axis=1) == found.own) == found.accuracy
    for by in ("cosine", "margin"):
        best = class_scores(found.class_cosines, by).max(axis=1)
        np.testing.assert_allclose(np.sort(found.scores.by(by)), np.sort(best))


def test_meaningless_labels_are_at_chance():
    meaningless = images(each=40, spread=1.0)
    shuffled = np.random.default_rng(1).permutation(meaningless.labels)
    found = cross_validate(Candidate("discriminant", 0.1), meaningless._replace(labels=shuffled), 0)
    assert abs(found.accuracy - 0.25) < 0.1
    assert abs(found.auc - 0.5) < 0.05


def test_copies_in_a_group_do_not_help():
    """Every image is there twice: only if both are in one fold is the accuracy at chance."""
    one = images(each=20, spread=3.0, size=200)
    shuffled = np.random.default_rng(1).permutation(one.labels)
    twice = LabelledFeatures(
        np.concatenate([one.prepared, one.prepared]),
        np.concatenate([shuffled, shuffled]),
        np.concatenate([one.groups, one.groups]),
    )
    sharp = Candidate("discriminant", 0.01)
    assert cross_validate(sharp, twice, 0).accuracy < 0.45
    leaking = twice._replace(groups=np.arange(len(twice.labels)))
    assert cross_validate(sharp, leaking, 0).accuracy > 0.6


def test_a_class_of_one_group_cannot_be_judged():
    grouped = np.arange(32)
    grouped[:8] = 0
    found = cross_validate(SIMPLE, images(groups=grouped), seed=0)
    assert np.isnan(found.right[:8]).all()
    assert np.isfinite(found.right[8:]).all()


def test_new_classes_are_left_out_as_a_whole():
    found = cross_validate(SIMPLE, images(classes=6, new_classes=True), seed=0)
    assert np.isfinite(found.right).all()
    assert found.accuracy > 0.8


def test_unknown_images_score_lower():
    several = images(spread=0.15)
    unknown, known = unknown_scores(SIMPLE, several, 0), cross_validate(SIMPLE, several, 0).scores
    assert len(unknown.cosine) == 32
    for by in ("cosine", "margin"):
        assert np.median(unknown.by(by)) < np.quantile(known.by(by), 0.1)


def test_two_classes_have_no_unknown_images():
    assert np.isnan(unknown_scores(SIMPLE, images(classes=2), 0).cosine).all()
