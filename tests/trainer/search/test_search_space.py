import keras_tuner
import pytest

from trainer.search.search_space import apply, declare
from trainer.settings import Augmentation, Model, Training


def declared(model=None, training=None, backbones=()):
    space = keras_tuner.HyperParameters()
    declare(space, model or Model(), training or Training(), backbones)
    return space


def test_the_default_point_is_the_configuration():
    model, training = Model(weights="none"), Training(learning_rate=0.05)
    assert apply(declared(model, training).values, model, training) == (model, training)


@pytest.mark.parametrize(
    ("loss", "searched"),
    [
        ("supervised_contrastive", {"training.temperature"}),
        ("cosine_crossentropy", {"training.temperature", "training.even_cosine"}),
        ("contrastive_margin", {"training.distance_margin"}),
        ("triplet_semi_hard", {"training.triplet_margin"}),
        ("binary_crossentropy", set()),
    ],
)
def test_only_what_the_loss_has_is_searched(loss, searched):
    names = set(declared(training=Training(loss=loss)).values)
    margins = {f"training.{n}" for n in ("even_cosine", "distance_margin", "triplet_margin")}
    assert names & {"training.temperature", *margins} == searched


def test_what_is_off_stays_off():
    names = set(declared(Model(embedding_size=None), Training(augmentation=None)).values)
    assert not names & {"model.embedding_size", "augmentation_strength", "model.backbone"}


def test_values_reach_both_sections():
    model, training = apply(
        {
            "training.learning_rate": 0.2,
            "augmentation_strength": 2.0,
            "model.hidden": 256,
            "model.backbone": "Conv4",
            "tuner/epochs": 4,
        },
        Model(),
        Training(augmentation=Augmentation(rotation=100, shift=0.6, horizontal_flip=True)),
    )
    assert (model.hidden, model.backbone) == ((256,), "Conv4")
    assert training.learning_rate == 0.2
    assert training.augmentation == Augmentation(
        rotation=180, shift=0.99, scale=0.2, horizontal_flip=True
    )


def test_every_corner_of_the_space_is_valid():
    for loss in (
        "supervised_contrastive",
        "cosine_crossentropy",
        "contrastive_margin",
        "triplet_semi_hard",
    ):
        training = Training(loss=loss)
        space = declared(training=training, backbones=("ResNet50", "Conv4"))
        for pick in (0.0, 0.999999):
            values = {hp.name: hp.prob_to_value(pick) for hp in space.space}
            apply(values, Model(), training)
