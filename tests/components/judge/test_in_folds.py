"""The Judge's models where images are in folds."""

import numpy as np
import pytest

from components.judge.in_folds import in_folds
from judging.classifier import Support
from judging.gate import LAST_BLESSED, PRETRAINED_ENCODER
from judging.views import CANDIDATE, View
from records.lost import RecordsLost
from records.out_of_fold import FoldModel, OutOfFold

FOLDS = np.arange(8) % 2
LABELS = np.repeat(["a", "b"], 4)


class StandIn:
    """An exported model that has learned from all images."""

    directory = "model"
    scored_by = "cosine"

    def trained_on(self, keys, unknown=None):
        return keys < 100

    def view(self, embeddings, keys, unknown, unknown_keys):
        support = Support(np.eye(8), LABELS, np.arange(8).astype(str), self.scored_by)
        return View("model", embeddings, unknown, support, None, 0.6, 0.1,
                    self.trained_on(keys), self.trained_on(unknown_keys))  # fmt: skip


@pytest.fixture
def found():
    embeddings = np.eye(8, dtype="float32") + np.where(LABELS == "a", 0.5, 0)[:, None]
    models = tuple(
        FoldModel(np.flatnonzero(f != FOLDS), embeddings[f != FOLDS], 0.5, 0.2, 4.0, 0.0)
        for f in (0, 1)
    )
    names = np.array([b"%d.png" % i for i in range(8)])
    # In another order than the Judge's, as the Trainer finds them.
    keys = np.array([7, 6, 5, 4, 3, 2, 1, 0])
    return OutOfFold(names, LABELS, names, keys, FOLDS, embeddings, np.zeros(8), models, 0.6, 0.1)


def view_of(name, found, keys, unknown_keys=()):
    model = in_folds({CANDIDATE: StandIn(), name: StandIn()}, found)[name]
    embeddings = np.tile(np.asarray(keys, float)[:, None], 8)
    return model.view(embeddings, np.asarray(keys), np.zeros((len(unknown_keys), 8)),
                      np.asarray(unknown_keys, int))  # fmt: skip


def test_images_that_were_learned_from_are_judged(found):
    model = in_folds({CANDIDATE: StandIn()}, found)[CANDIDATE]
    assert model.trained_on(np.array([0, 7, 50, 100])).tolist() == [False, False, True, False]


def test_the_candidate_embeds_an_image_by_its_folds_model(found):
    view = view_of(CANDIDATE, found, [7, 0, 5])
    np.testing.assert_array_equal(view.folds, [0, 1, 0])
    np.testing.assert_array_equal(view.embeddings, found.embeddings[[0, 7, 2]])
    assert view.unseen.all()
    for part in view.parts:
        assert len(part.support.labels) == 4


def test_an_unknown_image_that_was_learned_from_is_known_to_be(found):
    assert view_of(CANDIDATE, found, [7, 0], [3, 200]).unseen_unknown.tolist() == [False, True]


def test_the_encoder_classifies_by_images_of_other_folds(found):
    view = view_of(PRETRAINED_ENCODER, found, list(range(8)))
    assert not view.compares_pairs
    for fold, part in enumerate(view.parts):
        assert set(part.support.embeddings[:, 0]).isdisjoint(part.embeddings[:, 0])
        assert len(part.support.labels) == 4
        np.testing.assert_array_equal(view.support.sources[view.places[fold]], part.support.sources)


def test_an_unknown_image_is_judged_by_the_final_model_which_may_have_learned_from_it(found):
    model = in_folds({CANDIDATE: StandIn()}, found)[CANDIDATE]
    keys, unknown = np.array([0, 1, 200]), np.array([False, True, True])
    assert model.trained_on(keys, unknown).tolist() == [False, True, False]


@pytest.mark.parametrize("name", [CANDIDATE, LAST_BLESSED])
def test_what_scores_are_made_of_stays_with_each_model(found, name, monkeypatch):
    monkeypatch.setattr(StandIn, "scored_by", "margin")
    models = {CANDIDATE: StandIn(), name: StandIn()}
    keys = np.array([7, 0, 500] if name == LAST_BLESSED else [7, 0])
    view = in_folds(models, found, found)[name].view(
        np.tile(keys[:, None], 8).astype(float), keys, np.zeros((0, 8)), np.zeros(0, int)
    )
    of_new = ["margin"] if name == LAST_BLESSED else []
    assert [part.support.scored_by for part in view.parts] == ["cosine"] * 2 + of_new
    assert view.final.support.scored_by == "margin"


def test_an_image_that_no_fold_has_is_never_taken_for_another(found):
    with pytest.raises(RecordsLost):
        view_of(CANDIDATE, found, [7, 3000])


def test_a_last_blessed_model_without_folds_is_judged_as_ever(found):
    before = StandIn()
    models = {CANDIDATE: StandIn(), LAST_BLESSED: before}
    assert in_folds(models, found)[LAST_BLESSED] is before


def test_the_last_blessed_model_judges_what_it_has_learned_by_folds_and_the_rest_as_it_is(found):
    models = {CANDIDATE: StandIn(), LAST_BLESSED: StandIn()}
    before = in_folds(models, found, found)[LAST_BLESSED]
    keys = np.array([7, 500, 0, 50])  # the last was enrolled since
    embeddings = np.tile(keys[:, None], 8).astype(float)
    view = before.view(embeddings, keys, np.zeros((0, 8)), np.zeros(0, int))
    np.testing.assert_array_equal(view.folds, [0, 2, 1, 2])
    assert view.unseen.tolist() == [True, True, True, False]
    np.testing.assert_array_equal(view.embeddings[[0, 2]], found.embeddings[[0, 7]])
    np.testing.assert_array_equal(view.embeddings[[1, 3]], embeddings[[1, 3]])
    answers = view.classify(np.array(["a", "b", "b", "a"]))
    labels = view.support.labels[answers.rival]
    np.testing.assert_array_equal(labels, answers.label)
    assert np.isnan(view.similarities(np.array([0]), np.array([1]))).all()
