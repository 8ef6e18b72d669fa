"""Classifies any number of files on Apache Beam, where one machine is not enough.

Each worker loads the model once and asks it directly, without a server.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.runs.beam_workers import send_all_to_workers
from records.lost import records_lost
from serving.answers import classifications
from serving.bulk.tables import Row, classification_row, write_classifications
from serving.file_batch import FileBatch
from storage.file_systems import glob, open_file

_BATCH = 16


class Classifier(ModelHandler[bytes, str, Any]):
    """Asks a SavedModel's signature `classify`: encoded paths to rows as JSON.

    Args:
        model: The SavedModel's folder, which every worker can read.
        known_threshold: Least score of a known class; None: the model's own.
    """

    def __init__(self, model: str, known_threshold: float | None = None) -> None:
        self._model, self._known_threshold = model, known_threshold

    def load_model(self) -> Any:
        """Return the loaded SavedModel."""
        import tensorflow as tf

        from storage.local_copies import tensorflow_path

        with tensorflow_path(self._model) as path:
            return tf.saved_model.load(path)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        """Return how many files are encoded at once."""
        return {"max_batch_size": _BATCH}

    def run_inference(
        self, batch: Sequence[bytes], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterator[str]:
        """Yield a row for each file, see `classification_row`."""
        import tensorflow as tf

        paths = [os.fsdecode(path) for path in batch]
        files, answers = FileBatch.read(paths), []
        if files.images:
            said = model.signatures["classify"](image=tf.constant(files.images, tf.string))
            outputs = {name: value.numpy() for name, value in said.items()}
            answers = classifications(outputs, self._known_threshold)
        name = os.path.basename(self._model)
        version = int(name) if name.isdigit() else None
        for path, answer in zip(paths, files.answers(answers, version), strict=True):
            yield json.dumps(classification_row(path, answer))


def classify_on_beam(
    classifier: Classifier, paths: Sequence[str], beam_args: Sequence[str], root: str, output: Path
) -> list[Row]:
    """Classify files, and write a table of the answers in the order of the paths' names.

    Args:
        classifier: With the model.
        paths: The files, which every worker can read.
        beam_args: Options of Beam, `beam.args` of the configuration.
        root: A folder that every worker can write; what is written there is deleted at the end.
        output: .csv or .parquet.

    Returns:
        The rows.

    Raises:
        RecordsLost: Answers are missing.
    """
    send_all_to_workers()
    prefix = os.path.join(root, f"classified-{uuid.uuid4().hex}")
    try:
        with beam.Pipeline(options=PipelineOptions(list(beam_args))) as pipeline:
            _ = (
                pipeline
                | "Files" >> beam.Create([os.fsencode(path) for path in paths])
                | "Spread" >> beam.Reshuffle()
                | "Classify" >> RunInference(classifier)
                | "Write" >> beam.io.WriteToText(prefix)
            )
        rows = sorted(_rows(prefix), key=lambda row: row["image"])
    finally:
        if shards := glob(f"{prefix}*"):
            FileSystems.delete(shards)
    if len(rows) != len(paths):
        raise records_lost(f"{len(rows):,} of {len(paths):,} files were classified")
    write_classifications(lambda: rows, output)
    return rows


def _rows(prefix: str) -> Iterator[Row]:
    for path in glob(f"{prefix}*"):
        with open_file(path) as file:
            yield from map(json.loads, file)
