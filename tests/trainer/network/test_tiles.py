import keras
import numpy as np
import pytest

from trainer.network.backbone import build_backbone
from trainer.network.encoder import build_encoder
from trainer.settings import Model, Tiles, pixel_shape
from trainer.training.snapshot import pooled_features

SETTINGS = Model(backbone="Conv4", weights="none", embedding_size=8)
TILES = Tiles(rows=2, columns=3, pooling="max")


@pytest.fixture
def pixels():
    return np.random.default_rng(0).uniform(0, 255, (2, *pixel_shape(TILES.size(32)))).astype("f4")


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_an_images_features_are_pooled_from_its_tiles(pixels, pooling):
    keras.utils.set_random_seed(1)
    tiled = build_backbone(SETTINGS, 32, TILES.model_copy(update={"pooling": pooling}))
    keras.utils.set_random_seed(1)
    plain = pooled_features(build_backbone(SETTINGS, 32))
    of_tiles = [
        plain(pixels[:, 32 * row : 32 * row + 32, 32 * column : 32 * column + 32])
        for row in range(2)
        for column in range(3)
    ]
    expected = getattr(np, pooling)(of_tiles, axis=0)
    np.testing.assert_allclose(pooled_features(tiled)(pixels), expected, atol=1e-5)


def test_the_encoder_takes_whole_images(pixels):
    encoder = build_encoder(SETTINGS, 32, TILES)
    assert encoder.input_shape == (None, 64, 96, 3)
    embeddings = np.asarray(encoder(pixels))
    assert embeddings.shape == (2, 8)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
