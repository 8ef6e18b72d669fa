"""An encoder with its feature maps as outputs, so that an embedding can be divided among places."""

from __future__ import annotations

from typing import NamedTuple

import keras

from trainer.network.backbone import pool_name
from trainer.network.frozen_siamese import FrozenSiamese
from trainer.network.siamese import Siamese


class EncoderParts(NamedTuple):
    """An encoder of length-one embeddings that pools feature maps.

    Attributes:
        network: Model from pixels [n, height, width, 3] to a list: the embedding [n, d], and the
            feature map [n, rows, columns, c] of each view (`trainer.network.frozen_siamese`).
        pooling: `avg`, `max` or `flatten`: how a map becomes a vector.
        prepared: Whether the vectors are then prepared as in `trainer.recipe.heads.prepare`.
        dense: The dense layers between the vector and the embedding, in order.
    """

    network: keras.Model
    pooling: str
    prepared: bool
    dense: list[keras.layers.Dense]


def encoder_parts(model: Siamese | FrozenSiamese) -> EncoderParts | None:
    """Return the parts of a model's encoder.

    None if pairs are not compared by their cosine, or the encoder has no feature maps: a backbone
    that pools by itself in another way than by a last averaging layer, or the maximum of tiles.
    """
    if isinstance(model, Siamese) and model.head is not None:
        return None
    layers = {layer.name: layer for layer in model.encoder.layers}
    views = model.views if isinstance(model, FrozenSiamese) else 1
    if pool_name(0) not in layers:
        return None
    pools = [layers[pool_name(view)] for view in range(views)]
    maps = [layer.input for layer in pools]
    return EncoderParts(
        keras.Model(model.encoder.inputs, [*model.encoder.outputs, *maps], name="encoder_parts"),
        _POOLING[type(pools[0])],
        isinstance(model, FrozenSiamese),
        [layer for layer in model.encoder.layers if isinstance(layer, keras.layers.Dense)],
    )


_POOLING = {
    keras.layers.GlobalAveragePooling2D: "avg",
    keras.layers.GlobalMaxPooling2D: "max",
    keras.layers.Flatten: "flatten",
}
