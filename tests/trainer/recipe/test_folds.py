"""Images in folds: each is embedded by a head that was not fitted on its fold."""

import numpy as np
import pytest
from pair_files import transformed, write_blocks, write_folds

from judging.score_choice import ScoreChoice
from records.out_of_fold import FoldModel, OutOfFold
from records.pair_sampling import all_pairs
from trainer.errors import TrainingError
from trainer.recipe.ladder import train_by_recipe
from trainer.settings import Model, Training
from trainer.training.images import few_of_each_class


def trained(files, backbone, folder, **settings):
    model = Model(backbone=backbone)
    return train_by_recipe(model, Training(**settings), 16, files, [], folder, in_folds=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_folds(tmp_path_factory.mktemp("pairs"), classes=4, each=9, spread=60)


@pytest.fixture(scope="module")
def result(files, tiny_backbone, tmp_path_factory):
    return trained(files, tiny_backbone, tmp_path_factory.mktemp("own"))


def test_the_model_learns_from_all_images(result):
    assert len(result.support.labels) == len(result.training_keys) == 36
    assert result.summary["recipe"]["images"] == 36


def test_every_image_is_judged_once(result):
    found = result.out_of_fold
    assert isinstance(found, OutOfFold)
    assert len(found.ids) == len(set(found.ids.tolist())) == 36
    assert np.bincount(found.folds).tolist() == [12, 12, 12]
    assert np.isfinite(found.embeddings).all()
    np.testing.assert_array_equal(np.sort(found.keys), result.training_keys)
    for fold, model in enumerate(found.models):
        assert sorted(model.support) == np.flatnonzero(found.folds != fold).tolist()


def test_a_class_that_was_not_learned_scores_lower(result):
    found = result.out_of_fold
    own = np.array([model.known for model in found.models])[found.folds]
    assert np.mean(found.unknown_scores >= own) < 0.5


def test_each_fold_scores_unknown_images_as_its_model_does(
    files, tiny_backbone, result, monkeypatch
):
    """The final model and those of the folds choose in this order; 1 and 3 take the margin."""
    choices = iter(["margin", "cosine", "margin", "cosine"])
    monkeypatch.setattr(
        "trainer.recipe.choice.choose_score", lambda *_: ScoreChoice(next(choices), {})
    )
    other = trained(files, tiny_backbone, result.folder.parent / "by margin")
    assert other.thresholds.scored_by == "margin"
    found, before = other.out_of_fold, result.out_of_fold
    assert [one.scored_by for one in found.models] == ["cosine", "margin", "cosine"]
    differ = found.unknown_scores != before.unknown_scores
    as_before = [
        one.scored_by == other.scored_by
        for one, other in zip(found.models, before.models, strict=True)
    ]
    np.testing.assert_array_equal(differ, ~np.array(as_before)[found.folds])


def test_the_labels_of_a_fold_do_not_reach_its_model(files, tiny_backbone, result, monkeypatch):
    """With other labels in fold 0, the model of fold 0 stays the same, and the others change."""
    from trainer.recipe import frozen_encoder

    def mislabelled(*arguments):
        images = few_of_each_class(*arguments)
        labels = np.where(images.folds == 0, np.roll(images.labels, 9), images.labels)
        return images._replace(labels=labels)

    monkeypatch.setattr(frozen_encoder, "few_of_each_class", mislabelled)
    other = trained(files, tiny_backbone, result.folder.parent / "other").out_of_fold
    for name in FoldModel._fields:
        first, second = (getattr(one.models[0], name) for one in (result.out_of_fold, other))
        np.testing.assert_array_equal(first, second)
    first, second = (one.models[1].support_embeddings for one in (result.out_of_fold, other))
    assert not np.allclose(first, second)


def test_three_images_a_class_are_enough(tiny_backbone, tmp_path):
    files = write_folds(tmp_path, classes=3, each=3, folds=2, spread=60)
    found = trained(files, tiny_backbone, tmp_path / "own").out_of_fold
    assert np.bincount(found.folds).tolist() == [6, 3]
    assert np.isfinite(found.embeddings).all()


def test_fine_tuning_is_refused(files, tiny_backbone, tmp_path):
    with pytest.raises(TrainingError, match="set splits"):
        trained(files, tiny_backbone, tmp_path, recipe="fine_tuned")


def test_all_images_must_fit_in_memory(files, tiny_backbone, tmp_path, monkeypatch):
    from trainer.recipe import frozen_encoder

    monkeypatch.setattr(frozen_encoder, "most_images", lambda *_: 10)
    with pytest.raises(TrainingError, match="8 of 36 images"):
        trained(files, tiny_backbone, tmp_path)


def test_unequal_classes_fit_as_a_whole(tiny_backbone, tmp_path, monkeypatch):
    from trainer.recipe import frozen_encoder

    monkeypatch.setattr(frozen_encoder, "most_images", lambda *_: 36)
    numbered = [(0, n) for n in range(20)] + [(c, n) for c in (1, 2) for n in range(6)]
    records = [transformed(c, n, fold=n % 3, spread=60) for c, n in numbered]
    blocks = all_pairs([b"%d" % c for c, _ in numbered], 8, 1, 0)
    files = [write_blocks(tmp_path / "train.tfrecord", records, blocks)]
    assert len(trained(files, tiny_backbone, tmp_path / "own").out_of_fold.ids) == 32
