"""The mean of a map is the product that it divides, whatever the encoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.export.place_values import PlaceValues, encoding
from trainer.network.backbone import build_backbone
from trainer.network.calibrated_cosine import CalibratedCosine
from trainer.network.encoder_parts import encoder_parts
from trainer.network.frozen_siamese import FrozenSiamese
from trainer.network.siamese import Siamese
from trainer.settings import ArticleModel, Model, Tiles, Training

SIZE = 16
PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3)).astype("f")


@pytest.fixture(scope="module", params=["relu", "linear"])
def backbone(request, tmp_path_factory):
    """An encoder whose features have one sign or both, and which averages by itself."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("backbone") / "encoder.keras"
    keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(8, 4, strides=4, activation=request.param),
            keras.layers.GlobalAveragePooling2D(),
        ]
    ).save(path)
    return str(path)


def without_averaging(path):
    model = keras.models.load_model(path)
    cut = path.replace("encoder", "map")
    keras.Model(model.inputs, model.layers[-1].input).save(cut)
    return cut


def frozen(path, views):
    rng = np.random.default_rng(1)
    settings = Model(backbone=path)
    backbone = build_backbone(settings, SIZE)
    matrix, offset = rng.normal(size=(8, 8)), rng.normal(size=8) / 9
    return FrozenSiamese(backbone, settings, views, matrix, offset, CalibratedCosine())


MODELS = {
    "average": lambda path: Siamese(Model(backbone=path, embedding_size=6), Training(), SIZE),
    "features": lambda path: Siamese(Model(backbone=path, embedding_size=None), Training(), SIZE),
    "hidden": lambda path: Siamese(
        Model(backbone=path, embedding_size=6, hidden=(5, 7)), Training(), SIZE
    ),
    "sigmoid": lambda path: Siamese(
        Model(
            backbone=path,
            embedding_size=6,
            article=ArticleModel(embedding_activation="sigmoid"),
        ),
        Training(),
        SIZE,
    ),
    "maximum": lambda path: Siamese(
        Model(backbone=without_averaging(path), pooling="max"), Training(), SIZE
    ),
    "flatten": lambda path: Siamese(
        Model(backbone=without_averaging(path), pooling="flatten"), Training(), SIZE
    ),
    "frozen, one view": lambda path: frozen(path, 1),
    "frozen, four views": lambda path: frozen(path, 4),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_mean_of_a_map_is_the_product(backbone, name):
    model = MODELS[name](backbone)
    parts = encoder_parts(model)
    encoded = encoding(model, parts)(tf.constant(PIXELS))
    np.testing.assert_allclose(encoded.embedding, model.encoder(PIXELS), atol=1e-6)
    direction = np.random.default_rng(2).normal(size=encoded.embedding.shape).astype("f")
    maps = PlaceValues(parts)(encoded, tf.constant(direction)).numpy()
    assert maps.shape == (3, 4, 4)
    expected = np.sum(encoded.embedding.numpy() * direction, axis=1)
    np.testing.assert_allclose(maps.mean((1, 2)), expected, atol=1e-5)
    assert (maps.std((1, 2)) > 1e-4).all()


def test_a_place_has_its_own_term_of_the_sum(backbone):
    """Where all is linear: the features of the place, projected, over the embedding's length."""
    model = MODELS["average"](backbone)
    parts = encoder_parts(model)
    encoded = encoding(model, parts)(tf.constant(PIXELS))
    direction = np.random.default_rng(2).normal(size=(3, 6)).astype("f")
    maps = PlaceValues(parts)(encoded, tf.constant(direction)).numpy()
    [features], [kernel] = encoded.maps, encoded.kernels
    sums = tf.reduce_mean(features, [1, 2]) @ kernel
    expected = np.einsum("nhwc,cd,nd->nhw", features, kernel, direction)
    expected /= np.linalg.norm(sums, axis=1)[:, None, None]
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-5)


def test_views_are_turned_back(backbone):
    """Of an image that is black but for a corner, the other corners are alike."""
    model = frozen(backbone, 4)
    pixels = np.zeros((1, SIZE, SIZE, 3), "f")
    pixels[:, :4, 12:] = PIXELS[:1, :4, :4]
    parts = encoder_parts(model)
    encoded = encoding(model, parts)(tf.constant(pixels))
    [found] = PlaceValues(parts)(encoded, encoded.embedding).numpy()
    differs = np.abs(found - np.median(found)) > 1e-4
    assert differs[0, 3]
    assert differs.sum() == 1


def test_tiles_that_are_averaged_make_one_map(backbone):
    tiles = Tiles(rows=2, columns=3)
    model = Siamese(Model(backbone=backbone, embedding_size=6), Training(), SIZE, tiles=tiles)
    pixels = np.random.default_rng(3).integers(0, 256, (2, 32, 48, 3)).astype("f")
    parts = encoder_parts(model)
    encoded = encoding(model, parts)(tf.constant(pixels))
    maps = PlaceValues(parts)(encoded, encoded.embedding).numpy()
    assert maps.shape == (2, 8, 12)
    np.testing.assert_allclose(maps.mean((1, 2)), 1, atol=1e-5)
    pixels[:, 16:, 32:] = 0  # the last tile
    again = PlaceValues(parts)(encoding(model, parts)(tf.constant(pixels)), encoded.embedding)
    assert np.ptp(again.numpy()[:, 4:, 8:], axis=(1, 2)).max() < 1e-5


def test_the_maximum_of_tiles_is_no_sum(backbone):
    tiles = Tiles(rows=2, columns=1, pooling="max")
    model = Siamese(Model(backbone=backbone, embedding_size=6), Training(), SIZE, tiles=tiles)
    assert encoder_parts(model) is None
