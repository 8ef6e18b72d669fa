"""The Beam steps of the ingestion.

Files are read twice, once to inspect them and once to write them; in between, only short
descriptions are shuffled. No step sees all images: they are grouped by content, by near-duplicates
(`copy_steps`) and by class. Only the groups of near-duplicates, the counts, and the excluded files
are gathered in one place.

Nothing here imports TFX's components, since that takes each Beam worker 30 seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import tensorflow as tf

from base.errors import DataError
from base.printable import printable
from components.image_example_gen import value_range
from components.image_example_gen.file_list import Named, joined
from components.image_example_gen.inspection import Inspected, image_record, inspect
from components.image_example_gen.report import Tally
from components.image_example_gen.sources import Source, sources_in
from components.image_example_gen.splitting import Assigned, Described, is_used
from components.image_example_gen.value_range import ValueRange
from images import near_duplicates
from images.canonical import UnusableImage
from records import features


class Inspect(beam.PTransform):
    """Lists folders (`sources.Folder`) and inspects their files (`inspection.Inspected`).

    Args:
        root: The data root.
        max_pixels: Height times width of the largest image that is accepted.
        region: `image.region`, which each image must contain; None: anything will do.
    """

    def __init__(self, root: str, max_pixels: int, region: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self._root, self._max_pixels, self._region = root, max_pixels, region

    def expand(self, folders: beam.PCollection) -> beam.PCollection:
        """Return each file once."""
        return (
            folders
            | "SpreadFolders" >> beam.Reshuffle()
            | "List" >> beam.FlatMap(sources_in, self._root)
            | "Spread" >> beam.Reshuffle()
            | "Inspect" >> beam.Map(inspect, self._root, self._max_pixels, self._region)
        )


class Records(beam.PTransform):
    """Reads the images (`Assigned`) and makes their records, `tf.train.Example`, by split.

    Args:
        root: The data root.
        max_pixels: Height times width of the largest image that is accepted.
        inspected: The files as they were inspected; one that has changed since fails the run.
        found: The range of the data set, from `range_steps.FindRange`.
    """

    def __init__(
        self, root: str, max_pixels: int, inspected: beam.PCollection, found: beam.PCollection
    ) -> None:
        super().__init__()
        self._root, self._max_pixels = root, max_pixels
        self._inspected, self._found = inspected, found

    def expand(self, assigned: beam.PCollection) -> dict[str, beam.PCollection]:
        """Return the records of each split of `features.SPLITS`."""
        usable = assigned | "Usable" >> beam.Filter(is_used)
        parts = (
            {
                "assigned": usable | "PathsOfAssigned" >> beam.Map(_by_path),
                "content_hash": self._inspected | "ContentHashes" >> beam.Map(_content_hash),
            }
            | "FindContentHash" >> beam.CoGroupByKey()
            | "WithContentHash" >> beam.FlatMapTuple(_with_content_hash)
            | "Read"
            >> beam.Map(_record, self._root, self._max_pixels, beam.pvalue.AsSingleton(self._found))
            | "BySplit" >> beam.Partition(_index_of_split, len(features.SPLITS))
        )
        return {
            split: part | f"Record[{split}]" >> beam.Values()
            for split, part in zip(features.SPLITS, parts, strict=True)
        }


class Report(beam.PTransform):
    """Makes the report of inspected files, their groups and their splits, as a JSON text.

    Args:
        root: The data root.
        expected_classes: The classes that must exist.
        warnings: See `report.IngestionReport`.
    """

    def __init__(
        self, root: str, expected_classes: Sequence[str], warnings: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._root, self._expected_classes, self._warnings = root, expected_classes, warnings

    def expand(
        self,
        collections: tuple[beam.PCollection, beam.PCollection, beam.PCollection, beam.PCollection],
    ) -> beam.PCollection:
        """Return one text (`report.IngestionReport`)."""
        inspected, groups, assigned, found = collections
        unusable = inspected | "Unusable" >> beam.FlatMap(_unusable)
        reencoded = (
            inspected
            | "Reencoded" >> beam.Filter(_is_reencoded)
            | "CountReencoded" >> beam.combiners.Count.Globally()
        )
        several_frames = (
            inspected
            | "SeveralFrames" >> beam.Filter(_has_several_frames)
            | "PathsOfSeveral" >> beam.Map(_path)
            | "NameSeveralFrames" >> beam.CombineGlobally(_NameFiles())
        )
        deep = (
            inspected
            | "Deep" >> beam.Filter(_is_deep)
            | "PathsOfDeep" >> beam.Map(_path)
            | "NameDeep" >> beam.CombineGlobally(_NameFiles())
        )
        return (
            (assigned, unusable)
            | "All" >> beam.Flatten()
            | "Tally" >> beam.CombineGlobally(_CombineTallies())
            | "Write"
            >> beam.Map(
                _report,
                self._root,
                self._expected_classes,
                self._warnings,
                beam.pvalue.AsSingleton(reencoded),
                beam.pvalue.AsSingleton(groups),
                beam.pvalue.AsSingleton(several_frames),
                beam.pvalue.AsSingleton(deep),
                beam.pvalue.AsSingleton(found),
            )
        )


class _CombineTallies(beam.CombineFn):
    """Counts assigned images."""

    def create_accumulator(self) -> Tally:
        return Tally()

    def add_input(self, tally: Tally, assigned: Assigned) -> Tally:
        tally.add(assigned)
        return tally

    def merge_accumulators(self, tallies: Iterable[Tally]) -> Tally:
        merged = Tally()
        for tally in tallies:
            merged.merge(tally)
        return merged

    def extract_output(self, tally: Tally) -> Tally:
        return tally


class _NameFiles(beam.CombineFn):
    """Combines paths into one `Named`."""

    def create_accumulator(self) -> Named:
        return Named()

    def add_input(self, named: Named, path: str) -> Named:
        return joined([named, Named(1, (path,))])

    def merge_accumulators(self, found: Iterable[Named]) -> Named:
        return joined(list(found))

    def extract_output(self, named: Named) -> Named:
        return named


def describe(inspected: Inspected) -> Iterator[Described]:
    """Yield what splitting needs to know about a usable image; nothing for another."""
    if inspected.problem is None:
        source = inspected.source
        content = inspected.content_hash
        yield Described(source.path, source.label, content, source.split, source.group)


def _by_path(assigned: Assigned) -> tuple[str, Assigned]:
    return assigned.path, assigned


def _is_deep(inspected: Inspected) -> bool:
    return inspected.depth is not None


def _content_hash(inspected: Inspected) -> tuple[str, str]:
    return inspected.source.path, inspected.content_hash


def _with_content_hash(_: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[Assigned, str]]:
    for assigned in found["assigned"]:
        yield assigned, next(iter(found["content_hash"]))


def _record(
    keyed: tuple[Assigned, str], root: str, max_pixels: int, found: ValueRange | None
) -> tuple[int, tf.train.Example]:
    assigned, content_hash = keyed
    changed = f"{printable(assigned.path)} was changed while it was read"
    source = Source(assigned.path, assigned.label, group=assigned.group)
    try:
        record = image_record(source, root, max_pixels, found, assigned.fold)
    except UnusableImage as e:
        raise DataError(f"{changed}: it {e}; run again") from e
    # Near-duplicates and splits were found by what it showed before.
    if record.features.feature[features.CONTENT_HASH].bytes_list.value != [content_hash.encode()]:
        raise DataError(f"{changed}: it has another content now; run again")
    return features.SPLITS.index(assigned.split), record


def _index_of_split(record: tuple[int, tf.train.Example], _: int) -> int:
    return record[0]


def _unusable(inspected: Inspected) -> Iterator[Assigned]:
    if inspected.problem is not None:
        source = inspected.source
        yield Assigned(source.path, source.label, None, inspected.problem)


def _is_reencoded(inspected: Inspected) -> bool:
    return inspected.reencoded


def _has_several_frames(inspected: Inspected) -> bool:
    return inspected.frames > 1


def _path(inspected: Inspected) -> str:
    return inspected.source.path


def _report(
    tally: Tally,
    root: str,
    expected_classes: Sequence[str],
    warnings: Sequence[str],
    reencoded: int,
    groups: near_duplicates.Groups,
    several_frames: Named,
    deep: Named,
    found: ValueRange | None,
) -> str:
    report = tally.report(root, expected_classes, reencoded, groups, warnings)
    report.range = found if deep.files else None
    if 0 < deep.files < report.usable:
        report.warnings.append(
            value_range.mixed_depths(
                f"{deep.files} images ({deep})", report.usable - deep.files, found
            )
        )
    if found and found.given and not deep.files:
        report.warnings.append(
            f"image.range ({found.low:g} to {found.high:g}) has no effect: no image has more than "
            "eight bits"
        )
    if several_frames.files:
        report.warnings.append(
            f"{several_frames.files} images have several frames or pages; the first is used: "
            f"{several_frames}"
        )
    return report.model_dump_json(indent=1)
