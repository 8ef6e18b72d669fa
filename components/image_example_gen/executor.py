"""Runs the ingestion's Beam steps (`beam_steps`) as TFX's executor."""

from __future__ import annotations

import logging
import os
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from google.protobuf import wrappers_pb2
from tfx.components.example_gen import base_example_gen_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

from components.image_example_gen import beam_steps, range_steps, split_steps
from components.image_example_gen.copy_steps import FindNearDuplicates
from components.image_example_gen.file_list import Named, joined
from components.image_example_gen.report import IngestionReport
from components.image_example_gen.settings import Settings, splits_of
from components.image_example_gen.sources import (
    class_folders,
    class_name,
    files_beside_classes,
    list_folders,
)
from records import features
from records.lost import records_lost
from storage.spans import SpanRecord


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Writes image records (`features.IMAGE_RECORD`) by split, and the ingestion's report."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the records and the report.

        Raises:
            DataError: There are too few images, or too many unusable files.
            RecordsLost: Beam has lost records.
        """
        uri = artifact_utils.get_single_uri(output_dict["examples"])
        self._report_path = os.path.join(uri, IngestionReport.FILE)
        super().Do(input_dict, output_dict, exec_properties)
        report = IngestionReport.read(uri)
        for item in report.excluded:
            logging.warning("excluded: %s %s", item.path, item.reason)
        for warning in report.warnings:
            logging.warning("%s", warning)
        report.check(read_settings(exec_properties).max_unusable)
        report.check_copies()
        for split in splits_of(read_settings(exec_properties)):
            expected = report.images_in(split)
            written = _count(os.path.join(uri, f"Split-{split}"))
            # Checked here, since a failed component is not cached.
            if written != expected:
                raise records_lost(f"split '{split}' has {written:,} of {expected:,} images")

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        """Not used: `GenerateExamplesByBeam` reads images once for all splits."""
        raise NotImplementedError

    def GenerateExamplesByBeam(
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.PCollection]:
        """Return the image records of each split."""
        settings = read_settings(exec_properties)
        root = span_root(exec_properties)
        folders = list_folders(root, settings.layout, settings.manifest, settings.group)
        shares = {split: getattr(settings, split) for split in features.SPLITS}
        inspected = (
            pipeline
            | "Folders" >> beam.Create(folders)
            | "Inspect" >> beam_steps.Inspect(root, settings.max_pixels, settings.region)
        )
        groups = inspected | FindNearDuplicates(
            root,
            settings.max_pixels,
            identical_only=not settings.near_duplicates,
            region=settings.region,
        )
        described = inspected | "Describe" >> beam.FlatMap(beam_steps.describe)
        assigned = (described, groups) | split_steps.AssignSplits(
            shares, settings.split_by, settings.seed, settings.folds
        )
        found = (inspected, assigned) | range_steps.FindRange(settings.range)
        _ = (
            (inspected, groups, assigned, found)
            | beam_steps.Report(root, expected_classes(settings, root), _warnings(settings, root))
            | "WriteReport" >> beam.io.WriteToText(self._report_path, shard_name_template="")
        )
        records = assigned | beam_steps.Records(root, settings.max_pixels, inspected, found)
        return {split: records[split] for split in splits_of(settings)}


def _warnings(settings: Settings, root: str) -> list[str]:
    """Return what a user should know about files that were not read."""
    beside = files_beside_classes(root, settings.layout, settings.manifest)
    if not beside:
        return []
    named = joined([Named(1, (path,)) for path in beside])
    count = "1 file beside the class folders is"
    if named.files > 1:
        count = f"{named.files} files beside the class folders are"
    return [f"{count} not used: {named}. Images belong into the folder of their class"]


def _count(folder: str) -> int:
    """Return the number of records in a folder of compressed TFRecords."""
    files = fileio.glob(os.path.join(folder, "*"))
    if not files:
        return 0
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    return int(records.reduce(np.int64(0), lambda count, _: count + 1))


def read_settings(exec_properties: dict[str, Any]) -> Settings:
    """Return the component's settings from TFX's execution properties."""
    custom, text = example_gen_pb2.CustomConfig(), wrappers_pb2.StringValue()
    proto_utils.json_to_proto(exec_properties["custom_config"], custom)
    custom.custom_config.Unpack(text)
    return Settings.model_validate_json(text.value)


def span_root(exec_properties: dict[str, Any]) -> str:
    """Return the data root, with the span that the driver has chosen."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties["input_config"], config)
    return os.path.join(
        exec_properties["input_base"], os.path.dirname(config.splits[0].pattern)
    ).rstrip("/")


def expected_classes(settings: Settings, root: str) -> list[str]:
    """Return the classes that must exist.

    By default those of the data root, or of its first span and those that people have added in a
    review since (`SpanRecord`).
    """
    if settings.classes is not None:
        return sorted(map(class_name, settings.classes))
    if "{SPAN}" in settings.root:
        before, after = settings.root.split("{SPAN}")
        spans = {
            int(number): path
            for path in fileio.glob(f"{before}*{after}")
            if (number := os.fsdecode(path)[len(before) : len(path) - len(after)]).isdigit()
        }
        record = SpanRecord.read(root)
        first = os.fsdecode(spans[min(spans)])
        classes = class_folders(first, settings.layout, settings.manifest)
        return sorted({*classes, *(record.classes if record else ())})
    return class_folders(root, settings.layout, settings.manifest)
