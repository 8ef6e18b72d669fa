"""Which losses are accepted for which pairs, and that the accepted ones train the encoder."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from pair_files import transformed, write_blocks

from records import pair_sampling
from trainer.network.siamese import Siamese
from trainer.settings import Model, Training, check_loss, check_recipe
from trainer.training.input import training_blocks

LABELS = [b"%d" % (i // 4) for i in range(12)]
SAMPLERS = {
    "class_balanced": lambda: pair_sampling.class_balanced(LABELS, 2, 2, passes=1, seed=0),
    "all_pairs": lambda: pair_sampling.all_pairs(LABELS, block_size=6, passes=1, seed=0),
    "random_partners": lambda: pair_sampling.random_partners(LABELS, partners=3, seed=0),
}
LOSSES = Training.model_fields["loss"].annotation.__args__


def accepted(sampling, loss, normalize):
    try:
        check_loss(Model(article={"normalize": normalize}), Training(loss=loss), sampling)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("model", "training", "message"),
    [
        ({"weights": "none"}, {}, "needs a pretrained encoder"),
        ({}, {"loss": "binary_crossentropy"}, "trains the encoder"),
        ({}, {"refit": True}, "learns from the validation images anyway; leave refit out"),
    ],
)
def test_a_frozen_encoder_that_cannot_work_is_refused(model, training, message):
    with pytest.raises(ValueError, match=message):
        check_recipe(Model(**model), Training(recipe="frozen_encoder", **training))


@pytest.mark.parametrize(
    ("weights", "size", "backbone"),
    [("none", 100, "Conv4"), ("none", 101, "ResNet50"), ("imagenet", 32, "ResNet50")],
)
def test_the_backbone_goes_by_weights_and_size(weights, size, backbone):
    assert Model(weights=weights).for_size(size).backbone == backbone
    assert Model(backbone="VGG16", weights=weights).for_size(size).backbone == "VGG16"


def test_what_is_refused():
    refused = {c for c in itertools.product(SAMPLERS, LOSSES, (True, False)) if not accepted(*c)}
    one_pair = {
        ("random_partners", loss, normalize)
        for loss in ("supervised_contrastive", "triplet_semi_hard")
        for normalize in (True, False)
    }
    any_length = {
        (sampling, loss, False)
        for sampling in SAMPLERS
        for loss in ("supervised_contrastive", "triplet_semi_hard", "cosine_crossentropy")
    }
    assert refused == one_pair | any_length


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("sampling", "loss"), itertools.product(SAMPLERS, LOSSES))
def test_what_is_accepted_trains_the_encoder(tiny_backbone, tmp_path, sampling, loss, normalize):
    if not accepted(sampling, loss, normalize):
        return
    images = [transformed(i // 4, i) for i in range(12)]
    file = write_blocks(tmp_path / "train.tfrecord", images, SAMPLERS[sampling]())
    settings = Model(backbone=tiny_backbone, embedding_size=6, article={"normalize": normalize})
    model = Siamese(settings, Training(loss=loss, augmentation=None), 16)
    sizes = []
    for x, y in training_blocks([file], 16, blocks_per_step=1, seed=0).take(3):
        with tf.GradientTape() as tape:
            value = model.compute_loss(x, y, model(x, training=True))
        gradient = tape.gradient(value, model.encoder.trainable_variables)
        sizes.append(float(tf.linalg.global_norm(gradient)))
    assert np.isfinite(sizes).all()
    assert max(sizes) > 1e-6
