import numpy as np
import pytest

from judging.classifier import class_scores
from judging.probabilities import temperature_of_scores
from judging.score_choice import ScoreChoice
from judging.thresholds import known_from_scores
from trainer.recipe import choice, heads
from trainer.recipe.choice import Choice, Unlabelled, choose, fit_best_head
from trainer.recipe.cross_validation import CrossValidated, LabelledFeatures
from trainer.recipe.heads import Candidate
from trainer.settings import Training


def made_up(accuracy, auc, views=1, kind="discriminant", images=100):
    right = np.zeros(images)
    right[: round(accuracy * images)] = 1
    rng = np.random.default_rng(0)
    same = rng.random(4000) < 0.5
    cosines = np.where(rng.random(4000) < 2 * auc - 1, same, rng.random(4000))
    return Choice(
        Candidate(kind), views, CrossValidated(accuracy, right, cosines, same, *[np.empty(0)] * 3)
    )


def test_pairs_decide_where_classes_hardly_differ():
    accurate, better_pairs = made_up(0.96, 0.8), made_up(0.95, 0.95)
    assert choose([accurate, better_pairs]) is better_pairs
    assert choose([accurate, made_up(0.85, 0.99)]) is accurate


def test_more_views_are_chosen_for_accuracy_alone():
    one = made_up(0.95, 0.8)
    assert choose([one, made_up(0.95, 0.95, views=2)]) is one
    more = made_up(0.97, 0.8, views=2)
    assert choose([one, more]) is more


def labelled_and_not(each=4, others=30, classes=3, size=30):
    rng = np.random.default_rng(1)
    means = np.abs(rng.normal(size=(classes, size)))

    def drawn(count):
        labels = np.repeat(np.arange(classes), count)
        return np.abs(means[labels] + rng.normal(size=(len(labels), size)) * 0.8), labels

    (rows, labels), (more, _) = drawn(each), drawn(others)
    images = LabelledFeatures(np.empty(0), labels.astype(str), np.arange(len(labels)))
    unlabelled = Unlabelled(
        lambda views: np.repeat(more[:, None], views, 1), np.full(len(more), -1)
    )
    return (lambda views: np.repeat(rows[:, None], views, 1)), images, unlabelled


@pytest.mark.parametrize("scored_by", ["cosine", "margin"])
def test_threshold_and_temperature_are_of_the_chosen_score(monkeypatch, scored_by):
    features, images, _ = labelled_and_not(classes=4)
    compared = []

    def chosen(known, unknown, labels):
        compared.append((known, unknown, labels))
        return ScoreChoice(scored_by, {})

    monkeypatch.setattr(choice, "choose_score", chosen)
    fitted = fit_best_head(features, images, Training(views=1), 0)
    [(known, unknown, labels)] = compared
    assert labels.tolist() == images.labels.tolist()
    assert fitted.thresholds.scored_by == fitted.score.scored_by == scored_by
    expected = known_from_scores(known.by(scored_by), unknown.by(scored_by))
    assert fitted.thresholds.known == expected
    found = fitted.choice.found
    scores = class_scores(found.class_cosines, scored_by)
    assert fitted.thresholds.temperature == temperature_of_scores(scores, found.own)


def test_unlabelled_images_are_one_more_candidate():
    features, images, unlabelled = labelled_and_not()
    fitted = fit_best_head(features, images, Training(views=1), 0, unlabelled=unlabelled)
    last = fitted.tried[-1]
    assert last.candidate.unlabelled
    assert "with unlabelled images" in last.name
    assert fitted.choice is last  # they help here
    without = fit_best_head(features, images, Training(views=1), 0)
    assert not any(one.candidate.unlabelled for one in without.tried)
    assert last.found.accuracy > without.choice.found.accuracy


def test_with_one_image_of_each_class_they_are_used():
    features, images, unlabelled = labelled_and_not(each=1)
    fitted = fit_best_head(features, images, Training(views=1), 0, unlabelled=unlabelled)
    assert fitted.choice.candidate.unlabelled
    assert np.isfinite(fitted.embed(features(1))).all()


def test_copies_of_what_is_judged_are_left_out(monkeypatch):
    """All unlabelled images are copies of labelled ones: a head sees those of its own alone."""
    features, images, _ = labelled_and_not()
    copies = Unlabelled(lambda views: features(views)[::2], images.groups[::2])
    counts = set()

    def fit(self, prepared, labels, unlabelled=None, fit=heads.Candidate.fit):
        if unlabelled is not None:
            apart = np.abs(prepared[None] - unlabelled[:, None]).max(axis=(2, 3)).min(axis=1)
            assert (apart < 1e-9).all()
            counts.add(len(unlabelled))
        return fit(self, prepared, labels, unlabelled)

    monkeypatch.setattr(heads.Candidate, "fit", fit)
    fit_best_head(features, images, Training(views=1), 0, unlabelled=copies)
    assert min(counts) < 6
    some = copies.beside(images.groups[:3])
    assert len(some.copy_of) == len(some.features(1)) == 2
