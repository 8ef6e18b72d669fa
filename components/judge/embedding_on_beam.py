"""Embeds images on Beam, whatever their number.

Only embeddings leave a step, in a file; images pass through in small batches.
"""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator, Sequence

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.metrics import Metrics
from apache_beam.utils.shared import Shared

from base.printable import text_of
from components.judge import embedding, unknown_images
from components.judge.embedding import BATCH, Item
from components.judge.exported_model import JudgedModel, ModelError
from judging.embedded_images import EmbeddedImages
from records.lost import records_lost
from storage.file_systems import open_file

_LOG = logging.getLogger(__name__)


class Models:
    """The models, loaded once in each process.

    Args:
        directories: Of SavedModels, by name.
        optional: Names of those that are left out, with a warning, if they cannot be judged.
    """

    def __init__(self, directories: dict[str, str], optional: Sequence[str] = ()) -> None:
        self._directories, self._optional = directories, tuple(optional)
        # All copies of this object share what one of them has loaded, as long as it is in use.
        self._shared = Shared()

    def load(self) -> _Loaded:
        """Return the models, by name.

        Raises:
            ModelError: One of them cannot be judged.
        """
        return self._shared.acquire(self._load)

    def _load(self) -> _Loaded:
        loaded = _Loaded()
        for name, directory in self._directories.items():
            try:
                loaded[name] = JudgedModel(directory)
            except ModelError as e:
                if name not in self._optional:
                    raise
                _LOG.warning("not compared with the %s: %s", name, e)
        return loaded


class _Loaded(dict):
    """A plain dict has no weak references, which sharing needs."""


def embed_on_beam(
    pipeline: beam.Pipeline,
    models: Models,
    records: str,
    unknown: Sequence[str],
    max_pixels: int,
    folder: str,
) -> tuple[EmbeddedImages, dict[str, str]]:
    """Embed test images and unknown images; runs the pipeline.

    Args:
        pipeline: An empty pipeline.
        models: The models.
        records: Pattern of TFRecords of image records.
        unknown: Paths from `unknown_images.files`.
        max_pixels: Of the largest unknown image to read.
        folder: Takes temporary files.

    Returns:
        The images; the reasons of unusable files among the unknown images, by path.

    Raises:
        DataError: There is no test image.
        RecordsLost: Some of the unknown images are missing.
    """
    prefix, reasons_file = os.path.join(folder, "batches"), os.path.join(folder, "unusable.json")
    with pipeline:
        items = (
            pipeline
            | "Read" >> beam.io.ReadFromTFRecord(records)
            | "Parse" >> beam.Map(embedding.item)
        )
        if unknown:
            others, reasons = (
                pipeline
                | "Unknown" >> beam.Create([os.fsencode(path) for path in unknown])
                | "ReadUnknown" >> ReadUnknown(max_pixels)
            )
            items = (items, others) | "Both" >> beam.Flatten()
            _ = reasons | "Why" >> beam.io.WriteToText(reasons_file, shard_name_template="")
        _ = items | "Models" >> Embed(models) | "Write" >> beam.io.WriteToTFRecord(prefix)
    images = read(tf.io.gfile.glob(prefix + "*"))
    if not unknown:
        return images, {}
    with open_file(reasons_file) as file:
        unusable = json.load(file)
    if (done := len(unusable) + np.count_nonzero(images.unknown)) != len(unknown):
        raise records_lost(f"{done:,} of {len(unknown):,} unknown images were read")
    return images, unusable


def read(files: Sequence[str]) -> EmbeddedImages:
    """Return the images of all batches that `Embed` has made, in the order of their ids.

    Args:
        files: TFRecords of serialized batches.

    Raises:
        DataError: There is none.
    """
    batches: list[dict[str, np.ndarray]] = []
    for record in tf.data.TFRecordDataset(sorted(files)).as_numpy_iterator():
        with np.load(io.BytesIO(record)) as batch:
            batches.append({name: batch[name] for name in batch.files})
    return embedding.joined(batches)


class ReadUnknown(beam.PTransform):
    """Reads unknown images: encoded paths to items, and the reasons of unusable files.

    Args:
        max_pixels: See `unknown_images.read`.
    """

    def __init__(self, max_pixels: int) -> None:
        super().__init__()
        self._max_pixels = max_pixels

    def expand(self, sources: beam.PCollection) -> tuple[beam.PCollection, beam.PCollection]:
        """Return items, and one JSON text: the reasons by path."""
        found = sources | "Read" >> beam.Map(unknown_images.read, self._max_pixels)
        reasons = (
            found
            | "Unusable" >> beam.Filter(lambda one: isinstance(one, unknown_images.Unusable))
            | "Reason" >> beam.Map(lambda one: (text_of(one.source), one.reason))
            | "Gather" >> beam.combiners.ToDict()
            | "AsJson" >> beam.Map(json.dumps, sort_keys=True)
        )
        return found | "Usable" >> beam.Filter(lambda one: isinstance(one, Item)), reasons


class Embed(beam.PTransform):
    """Embeds items: to serialized batches of `embedding.columns`."""

    def __init__(self, models: Models) -> None:
        super().__init__()
        self._models = models

    def expand(self, items: beam.PCollection) -> beam.PCollection:
        """Return serialized batches."""
        return (
            items
            | "Batch" >> beam.BatchElements(min_batch_size=BATCH, max_batch_size=BATCH)
            | "Embed" >> beam.ParDo(_Embed(self._models))
        )


class _Embed(beam.DoFn):
    def __init__(self, models: Models) -> None:
        self._models = models
        self._images = Metrics.counter("judge", "images")

    def setup(self) -> None:
        self._loaded = self._models.load()

    def process(self, items: Sequence[Item]) -> Iterator[bytes]:
        embedded = embedding.embed(self._loaded, items)
        self._images.inc(len(items))
        file = io.BytesIO()
        np.savez(file, **embedding.columns(self._loaded, items, embedded))
        yield file.getvalue()
