"""The Beam steps that find the range of images of more than eight bits; see `value_range`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from components.image_example_gen import value_range
from components.image_example_gen.inspection import Inspected
from components.image_example_gen.splitting import Assigned, is_used
from records import features


class FindRange(beam.PTransform):
    """Finds the range of values in the training images of more than eight bits.

    Images of the other splits only count if they cannot be used without a range.

    Args:
        given: `image.range`, if it has numbers.
    """

    def __init__(self, given: tuple[float, float] | None) -> None:
        super().__init__()
        self._given = given

    def expand(self, collections: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        """Return one `value_range.ValueRange`, or None, of inspected and assigned images."""
        inspected, assigned = collections
        used = assigned | "Used" >> beam.Filter(is_used)
        count = (
            used
            | "OfTraining" >> beam.Filter(_is_for_training)
            | "CountOfTraining" >> beam.combiners.Count.Globally()
        )
        return (
            {
                "depth": inspected | "Depths" >> beam.FlatMap(_depth),
                "split": used | "SplitOfPath" >> beam.Map(_split),
            }
            | "FindSplit" >> beam.CoGroupByKey()
            | "DeepAndUsed" >> beam.FlatMapTuple(_depth_in_split)
            | "Summarize" >> beam.CombineGlobally(_MergeSummaries())
            | "Range"
            >> beam.Map(value_range.value_range, beam.pvalue.AsSingleton(count), self._given)
        )


class _MergeSummaries(beam.CombineFn):
    """Merges the summaries of deep images; holds a bounded number of values."""

    def create_accumulator(self) -> value_range.Summary:
        return value_range.Summary()

    def add_input(
        self, merged: value_range.Summary, one: value_range.Summary
    ) -> value_range.Summary:
        return value_range.merged([merged, one])

    def merge_accumulators(self, found: Iterable[value_range.Summary]) -> value_range.Summary:
        return value_range.merged(list(found))

    def extract_output(self, merged: value_range.Summary) -> value_range.Summary:
        return merged


def _is_for_training(assigned: Assigned) -> bool:
    return assigned.split == features.TRAIN


def _depth(inspected: Inspected) -> Iterator[tuple[str, value_range.Summary]]:
    if inspected.depth is not None:
        yield inspected.source.path, inspected.depth


def _split(assigned: Assigned) -> tuple[str, str]:
    return assigned.path, str(assigned.split)


def _depth_in_split(_: str, found: dict[str, Iterable[Any]]) -> Iterator[value_range.Summary]:
    for split in found["split"]:
        for depth in found["depth"]:
            yield depth if split == features.TRAIN else value_range.held_out(depth)
