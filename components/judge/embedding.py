"""Embeds images in batches, one pass of each model's encoder per image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from base.errors import DataError
from components.judge.exported_model import Embedded, JudgedModel, texts
from judging import gate
from judging.embedded_images import EmbeddedImages
from judging.views import CANDIDATE
from records import features, training_keys

BATCH = 32
"""Images that an encoder takes at once."""


class Item(NamedTuple):
    """An image to embed.

    Attributes:
        id: Of its record; of an unknown image, its file.
        label: Its class; empty for an unknown image.
        source: Its file.
        image: Encoded.
        key: Of its original file, see `records.training_keys`.
        unknown: Whether the image is out-of-distribution (of none of the classes).
        group: See `features.GROUP`; empty for an unknown image.
        fold: See `features.FOLD`.
    """

    id: bytes
    label: bytes
    source: bytes
    image: bytes
    key: int
    unknown: bool = False
    group: bytes = b""
    fold: int = features.NO_FOLD


def item(record: bytes) -> Item:
    """Return the item of a serialized image record."""
    feature = tf.train.Example.FromString(record).features.feature
    names = (
        features.IMAGE_ID, features.LABEL, features.SOURCE, features.IMAGE, features.GROUP
    )  # fmt: skip
    image_id, label, source, image, group = (feature[name].bytes_list.value[0] for name in names)
    key = training_keys.key(feature[features.CONTENT_HASH].bytes_list.value[0])
    [fold] = feature[features.FOLD].int64_list.value
    return Item(image_id, label, source, image, key, group=group, fold=fold)


def embed(models: Mapping[str, JudgedModel], items: Sequence[Item]) -> dict[str, Embedded]:
    """Return each model's embeddings of a batch, by name."""
    images = [one.image for one in items]
    return {name: model.embed(images) for name, model in models.items()}


def columns(
    models: Mapping[str, JudgedModel], items: Sequence[Item], embedded: Mapping[str, Embedded]
) -> dict[str, np.ndarray]:
    """Return a batch as arrays [n, ...] without its images, for `joined`.

    Args:
        models: The models, by name.
        items: n images.
        embedded: Their embeddings, from `embed`.
    """
    values: dict[str, Any] = {
        "id": [one.id for one in items],
        "label": [one.label for one in items],
        "source": [one.source for one in items],
        "group": [one.group for one in items],
        "key": np.array([one.key for one in items], "int64"),
        "unknown": [one.unknown for one in items],
        "valid": embedded[CANDIDATE].valid
        & np.isfinite(embedded[CANDIDATE].embeddings).all(axis=1),
        **{
            _EMBEDDING + name: np.where(e.valid[:, None], e.embeddings, np.nan)
            for name, e in embedded.items()
        },
    }
    if encoder := models.get(gate.PRETRAINED_ENCODER):
        folds = np.array([one.fold for one in items], "int64")
        guess = encoder.nearest_by_pixels(embedded[gate.PRETRAINED_ENCODER].pixels, folds)
        if guess is not None:
            values["by pixels"] = [str(label).encode() for label in guess]
    return {name: np.asarray(column) for name, column in values.items()}


_EMBEDDING = "embedding "
"""Begins the names of columns with a model's embeddings."""


def joined(batches: Sequence[Mapping[str, np.ndarray]]) -> EmbeddedImages:
    """Return all batches of `columns`, in the order of the ids.

    Raises:
        DataError: There is none.
    """
    if not batches:
        raise DataError("the split 'test' holds no image to judge on")
    found = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    order = np.lexsort((found["source"], found["id"]))
    found = {name: column[order] for name, column in found.items()}
    return EmbeddedImages(
        texts(found["id"]),
        texts(found["label"]),
        texts(found["source"]),
        texts(found["group"]),
        found["key"],
        found["unknown"],
        found["valid"],
        {
            name.removeprefix(_EMBEDDING): column
            for name, column in found.items()
            if name.startswith(_EMBEDDING)
        },
        texts(found["by pixels"]) if "by pixels" in found else None,
    )
