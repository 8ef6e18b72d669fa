from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.config.reading import load
from trainer.network.siamese import Siamese
from trainer.settings import Augmentation, Model, Training


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype("uint8")


@pytest.fixture
def block(images):
    y = {
        "class": np.array([0, 0, 1, 1]),
        "left": np.array([0, 0, 2]),
        "right": np.array([1, 2, 3]),
        "target": np.array([1, 0, 1]),
    }
    return images, y


def siamese(backbone, **training):
    return Siamese(Model(backbone=backbone, embedding_size=6), Training(**training), 16)


def test_embeddings_are_normalized(tiny_backbone, images):
    embeddings = siamese(tiny_backbone)(images)
    assert embeddings.shape == (4, 6)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-4)


def test_similarity_is_symmetric_and_in_range(tiny_backbone, images):
    model = siamese(tiny_backbone)
    z = model(images)
    there = np.array(model.similarity(z[:2], z[2:]))
    back = np.array(model.similarity(z[2:], z[:2]))
    np.testing.assert_array_equal(there, back)
    assert ((there >= 0) & (there <= 1)).all()


def test_an_image_with_itself_is_as_similar_as_any_other_with_itself(tiny_backbone, images):
    model = siamese(tiny_backbone)
    z = model(images)
    assert np.ptp(np.array(model.similarity(z, z))) < 1e-6


def test_augmentation_is_off_at_inference_and_on_in_training(tiny_backbone, images):
    model = siamese(tiny_backbone, augmentation=Augmentation(rotation=45))
    once, again = np.array(model(images)), np.array(model(images))
    np.testing.assert_array_equal(once, again)
    assert not np.allclose(model(images, training=True), once, atol=1e-4)


def test_the_similarity_is_calibrated_by_pairs(tiny_backbone, images):
    model = siamese(tiny_backbone)
    rng = np.random.default_rng(0)
    one = rng.normal(size=(200, 6))
    other = np.where(np.arange(200)[:, None] < 100, one, 0) + rng.normal(size=(200, 6))
    left, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (one, other))
    same = np.arange(200) < 100
    model.calibrate(left, right, same)
    similarities = np.asarray(model.similarity(left, right))
    assert np.mean((similarities >= 0.5) == same) > 0.7
    assert similarities[same].mean() > 0.6


def test_embeddings_of_any_length_are_compared_by_a_head(tiny_backbone):
    unnormalized = Model(backbone=tiny_backbone, embedding_size=6, article={"normalize": False})
    model = Siamese(unnormalized, Training(loss="contrastive_margin"), 16)
    assert model.head is not None
    assert siamese(tiny_backbone).head is None


def test_the_loss_keeps_the_heads_gradient_from_the_encoder(tiny_backbone, block):
    import tensorflow as tf

    x, y = block
    unnormalized = Model(backbone=tiny_backbone, embedding_size=6, article={"normalize": False})
    model = Siamese(unnormalized, Training(loss="contrastive_margin", augmentation=None), 16)
    with tf.GradientTape(persistent=True) as tape:
        embeddings = model(x, training=True)
        total = model.compute_loss(x, y, embeddings)
    before = tape.gradient(total, model.encoder.trainable_variables)
    # Another head must not change what the encoder learns.
    model.head.kernel.assign(model.head.kernel * 100 + 1)
    with tf.GradientTape() as tape:
        embeddings = model(x, training=True)
        total = model.compute_loss(x, y, embeddings)
    after = tape.gradient(total, model.encoder.trainable_variables)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("loss", ["supervised_contrastive", "binary_crossentropy"])
def test_overfits_one_block(tiny_backbone, block, loss):
    keras.utils.set_random_seed(1)
    x, y = block
    model = siamese(tiny_backbone, loss=loss, augmentation=None)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    import tensorflow as tf

    data = tf.data.Dataset.from_tensors((x, y)).repeat(60)
    first = model.evaluate(data.take(1), verbose=0, return_dict=True)["loss"]
    model.fit(data, verbose=0)
    last = model.evaluate(data.take(1), verbose=0, return_dict=True)
    assert last["loss"] < first * 0.9
    assert last["auc"] == 1.0


def test_the_2019_articles_network_has_its_parameters():
    config = load(Path(__file__).parents[3] / "configs/article.yaml", ["model.weights=none"])
    model = Siamese(config.model, config.training, config.image.size)
    assert model.count_params() == 126_367_653
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trainable == 126_314_533
