"""Reads the images on Beam.

Files are read twice, once to inspect them and once to write them: between the two only short
descriptions are shuffled and gathered, never an image.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from google.protobuf import wrappers_pb2
from tfx.components.example_gen import base_example_gen_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

from components import features
from components.data_error import DataError
from components.image_example_gen import near_duplicates
from components.image_example_gen.inspection import Inspected, image_record, inspect
from components.image_example_gen.report import IngestionReport, make_report
from components.image_example_gen.settings import Settings
from components.image_example_gen.sources import Source, class_folders, list_sources
from components.image_example_gen.splitting import Assignment, Described, assign_splits
from components.printable import printable


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Writes image records (`features.IMAGE_RECORD`) by split, and a report of the ingestion."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """TFX's entry point.

        Raises:
            DataError: The images are too few or too many of them unusable.
        """
        uri = artifact_utils.get_single_uri(output_dict["examples"])
        self._report_path = os.path.join(uri, IngestionReport.FILE)
        super().Do(input_dict, output_dict, exec_properties)
        report = IngestionReport.read(uri)
        for item in report.set_aside:
            logging.warning("set aside: %s %s", item.path, item.reason)
        report.check(read_settings(exec_properties).max_unusable)

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        """Not used: `GenerateExamplesByBeam` sees all images at once, to divide them."""
        raise NotImplementedError

    def GenerateExamplesByBeam(
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.PCollection]:
        """Image records of each split."""
        settings = read_settings(exec_properties)
        root = span_root(exec_properties)
        sources = list_sources(root, settings.layout, settings.manifest)
        inspected = (
            pipeline
            | "Sources" >> beam.Create(sources)
            | "Spread" >> beam.Reshuffle()
            | "Inspect" >> beam.Map(inspect, root, settings.max_pixels)
        )
        same = (
            inspected
            | "Bands" >> beam.FlatMap(_by_band, settings.near_duplicate_bits)
            | "SameBand" >> beam.GroupByKey()
            | "NearDuplicates" >> beam.FlatMap(_near_duplicates, settings.near_duplicate_bits)
        )
        described = inspected | "Describe" >> beam.Map(lambda i: i._replace(fingerprint=None))
        division = (
            pipeline
            | "Once" >> beam.Create([settings])
            | "Divide" >> beam.Map(_divide, beam.pvalue.AsList(described), beam.pvalue.AsList(same))
        )
        _ = (
            division
            | "Report"
            >> beam.MapTuple(
                lambda assignment, groups, found: make_report(
                    root, expected_classes(settings, root), assignment, groups, found
                ).model_dump_json(indent=1)
            )
            | "WriteReport" >> beam.io.WriteToText(self._report_path, shard_name_template="")
        )
        records = (
            division
            | "Usable" >> beam.FlatMapTuple(_usable)
            | "SpreadUsable" >> beam.Reshuffle()
            | "Read" >> beam.Map(_record, root, settings.max_pixels)
        )
        parts = records | "BySplit" >> beam.Partition(
            lambda record, count: record[0], len(features.SPLITS)
        )
        return {
            split: part | f"Record[{split}]" >> beam.Values()
            for split, part in zip(features.SPLITS, parts, strict=True)
        }


def read_settings(exec_properties: dict[str, Any]) -> Settings:
    """The component's own settings, from TFX's properties."""
    custom, text = example_gen_pb2.CustomConfig(), wrappers_pb2.StringValue()
    proto_utils.json_to_proto(exec_properties["custom_config"], custom)
    custom.custom_config.Unpack(text)
    return Settings.model_validate_json(text.value)


def span_root(exec_properties: dict[str, Any]) -> str:
    """The data root, with the span that the driver has chosen."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties["input_config"], config)
    return os.path.join(
        exec_properties["input_base"], os.path.dirname(config.splits[0].pattern)
    ).rstrip("/")


def expected_classes(settings: Settings, root: str) -> list[str]:
    """The classes that there should be: with spans, those of the first one."""
    if settings.classes is not None:
        return sorted(settings.classes)
    if "{SPAN}" in settings.root:
        before, after = settings.root.split("{SPAN}")
        spans = {
            int(number): path
            for path in fileio.glob(f"{before}*{after}")
            if (number := os.fsdecode(path)[len(before) : len(path) - len(after)]).isdigit()
        }
        root = os.fsdecode(spans[min(spans)])
    return class_folders(root, settings.layout, settings.manifest)


def _by_band(
    inspected: Inspected, bits: int
) -> Iterator[tuple[tuple[int, int], near_duplicates.Fingerprint]]:
    if inspected.fingerprint is not None:
        for key in near_duplicates.band_keys(inspected.fingerprint, bits):
            yield key, inspected.fingerprint


def _near_duplicates(
    band: tuple[tuple[int, int], Iterable[near_duplicates.Fingerprint]], bits: int
) -> Iterator[tuple[str, str]]:
    _, members = band
    yield from near_duplicates.pairs_in_band(members, bits)


def _divide(
    settings: Settings, inspected: list[Inspected], same: list[tuple[str, str]]
) -> tuple[Assignment, list[list[str]], list[Inspected]]:
    """The splits, the groups of near-duplicates, and all files, in the order of their paths."""
    usable = [one for one in inspected if one.problem is None]
    first_of_content: dict[str, str] = {}
    copies = [
        (first_of_content.setdefault(one.content_hash, one.source.path), one.source.path)
        for one in sorted(usable)
    ]
    group_of = near_duplicates.groups([*same, *copies])
    assignment = assign_splits(
        [
            Described(
                one.source.path,
                one.source.label,
                one.content_hash,
                one.source.split,
                group_of[one.source.path],
            )
            for one in usable
        ],
        {split: getattr(settings, split) for split in features.SPLITS},
        settings.split_by,
        settings.seed,
    )
    return assignment, near_duplicates.group_lists(group_of), sorted(inspected)


def _usable(
    assignment: Assignment, groups: list[list[str]], inspected: list[Inspected]
) -> Iterator[tuple[Source, str]]:
    del groups
    for one in inspected:
        split = assignment.splits.get(one.source.path)
        if split is not None:
            yield one.source, split


def _record(usable: tuple[Source, str], root: str, max_pixels: int) -> tuple[int, tf.train.Example]:
    source, split = usable
    try:
        record = image_record(source, root, max_pixels)
    except ValueError as e:
        raise DataError(
            f"{printable(source.path)} was changed while it was read: it {e}; run again"
        ) from e
    return features.SPLITS.index(split), record
