"""The recipe that chooses itself, on a tiny backbone."""

import numpy as np
import pytest

from trainer.errors import TrainingError
from trainer.network.calibrated_cosine import CalibratedCosine
from trainer.recipe import frozen_encoder, ladder
from trainer.recipe.ladder import train_by_recipe
from trainer.settings import ArticleModel, Model, Training
from trainer.training.embedder import in_batches


def recipe(data, backbone, folder, model=None, size=16, **settings):
    return train_by_recipe(
        Model(**{"backbone": backbone, **(model or {})}),
        Training(**{"epochs": 1, **settings}),
        size,
        [str(data / "train.tfrecord")],
        [str(data / "validation.tfrecord")],
        folder,
    )


@pytest.fixture(scope="module")
def frozen(data, tiny_backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("frozen")
    return recipe(data, tiny_backbone, folder, recipe="frozen_encoder", views=2)


def test_all_images_are_used(frozen):
    assert frozen.summary["recipe"]["images"] == 36  # of both splits
    assert len(frozen.support.labels) == len(frozen.training_keys) == 36
    assert set(frozen.support.labels) == {"class-0", "class-1", "class-2"}


def test_the_network_computes_the_embeddings_of_the_fit(frozen):
    encode = in_batches(lambda x: frozen.model.encoder(x, training=False))
    embeddings = encode(frozen.support.pixels.astype("float32"))
    np.testing.assert_allclose(embeddings, frozen.support_embeddings, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)


def test_pairs_are_told_apart(frozen):
    support, labels = frozen.support_embeddings, frozen.support.labels
    left, right = np.triu_indices(len(labels), 1)
    similarities = np.asarray(frozen.model.similarity(support[left], support[right]))
    same = labels[left] == labels[right]
    assert similarities[same].mean() > 0.7 > 0.4 > similarities[~same].mean()
    threshold = frozen.thresholds.same
    assert np.mean((similarities >= threshold) == same) > 0.85


def test_the_summary_says_what_was_chosen_and_why(frozen, capsys):
    found = frozen.summary["recipe"]
    assert found["name"] == "frozen_encoder"
    assert found["chosen"].endswith(", 2 views")
    assert len(found["candidates"]) == 4
    assert 0.5 < found["accuracy"] <= 1
    assert frozen.summary["history"] == {}


def test_a_few_errors_are_not_worth_a_fine_tuning(data, tiny_backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(ladder, "GOOD_ENOUGH", 0.0)
    trained = recipe(data, tiny_backbone, tmp_path)
    assert trained.summary["recipe"]["name"] == "frozen_encoder"
    assert "in cross-validation" in trained.summary["recipe"]["reason"]
    assert not (tmp_path / "fine_tuned").exists()


def test_so_few_images_cannot_show_that_fine_tuning_pays(
    data, tiny_backbone, tmp_path, monkeypatch
):
    monkeypatch.setattr(ladder, "GOOD_ENOUGH", 1.1)
    trained = recipe(data, tiny_backbone, tmp_path)
    assert trained.summary["recipe"]["name"] == "frozen_encoder"
    assert not (tmp_path / "fine_tuned").exists()


def test_many_errors_are(data, tiny_backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(ladder, "GOOD_ENOUGH", 1.1)
    monkeypatch.setattr(ladder, "LEAST_FOR_TUNING", 2)
    trained = recipe(data, tiny_backbone, tmp_path)
    names = [one["name"] for one in trained.summary["recipe"]["candidates"]]
    assert names[-1] == "fine-tuned"
    assert [path.name for path in tmp_path.iterdir()] == [trained.folder.name]


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_only_a_chosen_fine_tuning_is_followed_by_a_refit(
    data, tiny_backbone, tmp_path, monkeypatch, accuracy
):
    monkeypatch.setattr(ladder, "GOOD_ENOUGH", 1.1)
    monkeypatch.setattr(ladder, "LEAST_FOR_TUNING", 2)
    train = ladder.train

    def judged(*arguments):
        *others, pays = arguments

        def told(summary):
            summary["history"]["val_accuracy"] = [accuracy]
            return pays(summary)

        return train(*others, told)

    found = frozen_encoder.fit_best_head

    def half_right(*arguments):
        fitted = found(*arguments)
        fitted.choice.found.right[:] = np.arange(36) % 2
        return fitted

    monkeypatch.setattr(frozen_encoder, "fit_best_head", half_right)
    monkeypatch.setattr(ladder, "train", judged)
    trained = recipe(data, tiny_backbone, tmp_path, refit=True)
    assert (trained.summary["recipe"]["name"] == "fine_tuned") is bool(accuracy)
    assert trained.summary.get("refit") == ({"train": 18, "validation": 18} if accuracy else None)


def test_a_frozen_encoder_has_nothing_to_train_again(data, tiny_backbone, tmp_path, capsys):
    assert "refit" not in recipe(data, tiny_backbone, tmp_path, refit=True).summary
    assert "training.refit: nothing to train again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "settings", "reason"),
    [
        ({"backbone": "Conv4", "weights": "none"}, {}, "no pretrained weights"),
        ({"pooling": "flatten"}, {}, "too many"),
        ({}, {"recipe": "fine_tuned"}, "the configuration asks for it"),
        ({"article": ArticleModel(normalize=False)}, {"loss": "binary_crossentropy"}, "2019"),
    ],
)
def test_what_is_fine_tuned_at_once(
    data, tiny_backbone, tmp_path, monkeypatch, model, settings, reason
):
    class Tuned(tuple):
        summary: dict = {}

        def _replace(self, summary):
            self.summary = summary
            return self

    monkeypatch.setattr(ladder, "train", lambda *_: Tuned())
    trained = recipe(data, tiny_backbone, tmp_path, model, **settings)
    assert trained.summary["recipe"]["name"] == "fine_tuned"
    assert reason in trained.summary["recipe"]["reason"]


def test_too_long_features_are_refused(data, tiny_backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(frozen_encoder, "MOST_FEATURES", 4)
    with pytest.raises(TrainingError, match=r"has 8 features.*model\.pooling"):
        recipe(data, tiny_backbone, tmp_path, recipe="frozen_encoder")


def test_the_similarity_of_nothing_has_its_default(frozen):
    assert isinstance(frozen.model.similarity, CalibratedCosine)
