"""Embeds images on Beam: one pass of each model's encoder over each image, whatever their number.

Only embeddings leave a step, in a file; images pass through in small batches.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.metrics import Metrics
from apache_beam.utils.shared import Shared

from base.errors import DataError
from components.judge import exported_model as model
from judging.classifier import nearest_neighbour
from records import features, training_keys

_LOG = logging.getLogger(__name__)

BATCH = 32
"""Images that an encoder takes at once."""


class Item(NamedTuple):
    """An image to be embedded.

    Attributes:
        id: Of its record; of an unknown image, its file.
        label: Its class; empty for an unknown image.
        source: Its file.
        image: Encoded.
        key: Of its original file, see `records.training_keys`.
        unknown: Whether it is of no class at all.
    """

    id: bytes
    label: bytes
    source: bytes
    image: bytes
    key: int
    unknown: bool = False


def item(record: bytes) -> Item:
    """That of a serialized image record."""
    feature = tf.train.Example.FromString(record).features.feature
    names = (features.IMAGE_ID, features.LABEL, features.SOURCE, features.IMAGE)
    image_id, label, source, image = (feature[name].bytes_list.value[0] for name in names)
    key = training_keys.key(feature[features.CONTENT_HASH].bytes_list.value[0])
    return Item(image_id, label, source, image, key)


class Models:
    """The models, loaded once in each process.

    Args:
        directories: Of SavedModels, by name.
        optional: Names of those that are left out, with a warning, where they cannot be judged.
    """

    def __init__(self, directories: dict[str, str], optional: Sequence[str] = ()) -> None:
        self._directories, self._optional = directories, tuple(optional)
        # All copies of this object share what one of them has loaded, as long as it is in use.
        self._shared = Shared()

    def load(self) -> _Loaded:
        """The models, by name.

        Raises:
            ModelError: One of them cannot be judged.
        """
        return self._shared.acquire(self._load)

    def _load(self) -> _Loaded:
        loaded = _Loaded()
        for name, directory in self._directories.items():
            try:
                loaded[name] = model.JudgedModel(directory)
            except model.ModelError as e:
                if name not in self._optional:
                    raise
                _LOG.warning("the %s is not compared with: %s", name, e)
        return loaded


class _Loaded(dict):
    """A plain dict cannot be referred to weakly, as sharing needs."""


class Embed(beam.PTransform):
    """Items to serialized batches, to be read by `read`.

    Args:
        models: What embeds them.
        raw_pixels: Of the models that one whose images' pixels are compared with its support
            images', if any.
    """

    def __init__(self, models: Models, raw_pixels: str | None = None) -> None:
        super().__init__()
        self._models, self._raw_pixels = models, raw_pixels

    def expand(self, items: beam.PCollection) -> beam.PCollection:
        """Serialized batches."""
        return (
            items
            | "Batch" >> beam.BatchElements(min_batch_size=BATCH, max_batch_size=BATCH)
            | "Embed" >> beam.ParDo(_Embed(self._models, self._raw_pixels))
        )


class _Embed(beam.DoFn):
    def __init__(self, models: Models, raw_pixels: str | None) -> None:
        self._models, self._raw_pixels = models, raw_pixels
        self._images = Metrics.counter("judge", "images")

    def setup(self) -> None:
        self._loaded = self._models.load()
        if self._raw_pixels:
            named = self._loaded[self._raw_pixels]
            self._pixels, self._labels = _flat(named.support_pixels), named.support.labels

    def process(self, items: Sequence[Item]) -> Iterator[bytes]:
        columns: dict[str, Any] = {
            "id": [one.id for one in items],
            "label": [one.label for one in items],
            "source": [one.source for one in items],
            "key": np.array([one.key for one in items], "int64"),
            "unknown": [one.unknown for one in items],
        }
        valid = np.ones(len(items), bool)
        for name, one in self._loaded.items():
            found = one.embed([one.image for one in items])
            columns[f"embedding {name}"] = found.embeddings
            valid &= found.valid & np.isfinite(found.embeddings).all(axis=1)
            if name == self._raw_pixels:
                guess = nearest_neighbour(self._pixels, self._labels, _flat(found.pixels))
                columns["raw pixels"] = [str(label).encode() for label in guess]
        columns["valid"] = valid
        self._images.inc(len(items))
        file = io.BytesIO()
        np.savez(file, **{k: np.asarray(v) for k, v in columns.items()})
        yield file.getvalue()


def _flat(pixels: np.ndarray | None) -> np.ndarray:
    assert pixels is not None
    return pixels.reshape(len(pixels), -1)


def read(files: Sequence[str]) -> dict[str, np.ndarray]:
    """All batches that were written, joined, in the order of the ids.

    Args:
        files: TFRecords of serialized batches.

    Returns:
        By name: `id`, `label` and `source`, bytes [n] each; `key`, int64 [n]; `valid` and
        `unknown`, bool [n];
        `embedding <name>`, float32 [n, d], for each model; and maybe `raw pixels`, bytes [n], the
        class of the support image nearest by its pixels.

    Raises:
        DataError: There is none.
    """
    parts: list[dict[str, np.ndarray]] = []
    for record in tf.data.TFRecordDataset(sorted(files)).as_numpy_iterator():
        with np.load(io.BytesIO(record)) as batch:
            parts.append({name: batch[name] for name in batch.files})
    if not parts:
        raise DataError("the split 'test' holds no image to judge on")
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((joined["source"], joined["id"]))
    return {name: column[order] for name, column in joined.items()}
