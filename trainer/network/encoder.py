"""The encoder: one image to its embedding. Both sides of the Siamese network share it."""

from __future__ import annotations

import keras

from trainer.network.backbone import build_backbone, pool
from trainer.settings import ONE_TILE, Model, Tiles


def build_encoder(settings: Model, image_size: int, tiles: Tiles = ONE_TILE) -> keras.Model:
    """Return backbone, pooling, dense layers and embedding as one model.

    Args:
        settings: The `model` section of the configuration.
        image_size: Height and width in pixels, of a tile if there are several.
        tiles: Of the image.

    Returns:
        Model from float32 [n, rows * size, columns * size, 3] (RGB, 0 to 255) to float32
        [n, embedding_size], L2-normalized unless `settings.article.normalize` is false. Its layer
        `backbone` is the backbone.

    Raises:
        BackboneError, WeightsError: See `build_backbone`.
    """
    backbone = build_backbone(settings, image_size, tiles)
    pixels = keras.Input((*tiles.size(image_size), 3), name="pixels")
    features = pool(backbone(pixels), settings, view=0)
    for units in settings.hidden:
        features = keras.layers.Dense(units, activation="relu")(features)
    embedding = features
    if settings.embedding_size is not None:
        embedding = keras.layers.Dense(
            settings.embedding_size, settings.article.embedding_activation, name="embedding"
        )(features)
    if settings.article.normalize:
        embedding = keras.layers.UnitNormalization(name="normalized", dtype="float32")(embedding)
    return keras.Model(pixels, embedding, name="encoder")
