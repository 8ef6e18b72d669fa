"""The Beam steps of the ingestion.

Files are read twice, once to inspect them and once to write them; in between, only short
descriptions are shuffled. No step sees all images: they are grouped by content, by near-duplicates
and by class. Only the groups of near-duplicates, the counts, and the excluded files are gathered in
one place.

Nothing here imports TFX's components, since that takes each Beam worker 30 seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import tensorflow as tf

from base.errors import DataError
from base.printable import printable
from components.image_example_gen import splitting
from components.image_example_gen.inspection import Inspected, image_record, inspect
from components.image_example_gen.named import Named, joined
from components.image_example_gen.report import Tally
from components.image_example_gen.sources import Source, sources_in
from components.image_example_gen.splitting import Assigned, Described, Group
from images import near_duplicates
from records import features


class Inspect(beam.PTransform):
    """Lists folders (`sources.Folder`) and inspects their files (`inspection.Inspected`).

    Args:
        root: The data root.
        max_pixels: Height times width of the largest image that is accepted.
    """

    def __init__(self, root: str, max_pixels: int) -> None:
        super().__init__()
        self._root, self._max_pixels = root, max_pixels

    def expand(self, folders: beam.PCollection) -> beam.PCollection:
        """Return each file once."""
        return (
            folders
            | "SpreadFolders" >> beam.Reshuffle()
            | "List" >> beam.FlatMap(sources_in, self._root)
            | "Spread" >> beam.Reshuffle()
            | "Inspect" >> beam.Map(inspect, self._root, self._max_pixels)
        )


class FindNearDuplicates(beam.PTransform):
    """Finds the near-duplicates among inspected files, as one `near_duplicates.Groups`.

    Args:
        bits: By how many of 64 bits the hashes of near-duplicates may differ.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self._bits = bits

    def expand(self, inspected: beam.PCollection) -> beam.PCollection:
        """Return all groups of more than one image."""
        near = (
            inspected
            | "Bands" >> beam.FlatMap(_by_band, self._bits)
            | "SameBand" >> beam.GroupByKey()
            | "Compare" >> beam.FlatMap(_near_duplicates, self._bits)
        )
        return near | "Join" >> beam.CombineGlobally(_JoinGroups())


class AssignSplits(beam.PTransform):
    """Assigns usable images (`Described`), given their `near_duplicates.Groups`, to splits.

    Args:
        shares: Share of each split of `features.SPLITS`; their sum is 1.
        by: `image` divides each class; `class` keeps classes whole.
        seed: Seed of the ranking hash.
    """

    def __init__(self, shares: Mapping[str, float], by: str, seed: int) -> None:
        super().__init__()
        self._shares, self._by, self._seed = dict(shares), by, seed

    def expand(self, collections: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        """Return each image once, as `Assigned`."""
        described, groups = collections
        rest = (
            described
            | "ByContent" >> beam.GroupBy("content_hash")
            | "Contradictions"
            >> beam.FlatMapTuple(_contradictions).with_outputs("excluded", main="rest")
        )
        rule = rest.rest | "Rule" >> beam.CombineGlobally(
            _FindRule(self._shares, self._by, self._seed)
        )
        by_group = (
            {
                "image": rest.rest | "ByPath" >> beam.Map(_by_path),
                "group": groups | "Members" >> beam.FlatMap(_members),
            }
            | "FindGroup" >> beam.CoGroupByKey()
            | "InGroup" >> beam.FlatMapTuple(_in_group)
            | "ByGroup" >> beam.GroupByKey()
            | "AssignByRule"
            >> beam.FlatMap(
                _assign_by_rule, beam.pvalue.AsSingleton(rule), self._seed
            ).with_outputs("pending", main="assigned")
        )
        by_class = (
            by_group.pending
            | "ByClass" >> beam.GroupByKey()
            | "AssignByShare" >> beam.FlatMap(_assign_by_share, self._shares)
        )
        return (rest.excluded, by_group.assigned, by_class) | "Assigned" >> beam.Flatten()


class Records(beam.PTransform):
    """Reads the images (`Assigned`) and makes their records, `tf.train.Example`, by split.

    Args:
        root: The data root.
        max_pixels: Height times width of the largest image that is accepted.
    """

    def __init__(self, root: str, max_pixels: int) -> None:
        super().__init__()
        self._root, self._max_pixels = root, max_pixels

    def expand(self, assigned: beam.PCollection) -> dict[str, beam.PCollection]:
        """Return the records of each split of `features.SPLITS`."""
        parts = (
            assigned
            | "Usable" >> beam.Filter(_is_usable)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.Map(_record, self._root, self._max_pixels)
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
        self, collections: tuple[beam.PCollection, beam.PCollection, beam.PCollection]
    ) -> beam.PCollection:
        """Return one text (`report.IngestionReport`)."""
        inspected, groups, assigned = collections
        unusable = inspected | "Unusable" >> beam.FlatMap(_unusable)
        reencoded = (
            inspected
            | "Reencoded" >> beam.Filter(_is_reencoded)
            | "CountReencoded" >> beam.combiners.Count.Globally()
        )
        several_frames = (
            inspected
            | "SeveralFrames" >> beam.Filter(_has_several_frames)
            | "Paths" >> beam.Map(_path)
            | "NameSeveralFrames" >> beam.CombineGlobally(_NameFiles())
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
            )
        )


class _JoinGroups(beam.CombineFn):
    """Joins pairs of images into groups."""

    def create_accumulator(self) -> near_duplicates.Groups:
        return near_duplicates.Groups()

    def add_input(
        self, groups: near_duplicates.Groups, pair: tuple[str, str]
    ) -> near_duplicates.Groups:
        groups.join(*pair)
        return groups

    def merge_accumulators(self, found: Iterable[near_duplicates.Groups]) -> near_duplicates.Groups:
        merged = near_duplicates.Groups()
        for groups in found:
            for pair in groups.items():
                merged.join(*pair)
        return merged

    def extract_output(self, groups: near_duplicates.Groups) -> near_duplicates.Groups:
        return groups


class _Rule(NamedTuple):
    """How images are assigned to splits.

    Attributes:
        given: Whether the data set gives any image a split; if so, it gives all of them theirs.
        split_of_class: The split of each class, where classes are kept whole.
    """

    given: bool
    split_of_class: dict[str, str] | None


class _FindRule(beam.CombineFn):
    """Finds the rule by which described images are assigned; holds the names of the classes."""

    def __init__(self, shares: Mapping[str, float], by: str, seed: int) -> None:
        self._shares, self._by, self._seed = shares, by, seed

    def create_accumulator(self) -> tuple[bool, set[str]]:
        return False, set()

    def add_input(self, found: tuple[bool, set[str]], image: Described) -> tuple[bool, set[str]]:
        given, labels = found
        labels.add(image.label)
        return given or image.split is not None, labels

    def merge_accumulators(self, found: Iterable[tuple[bool, set[str]]]) -> tuple[bool, set[str]]:
        given, labels = zip((False, set()), *found, strict=True)
        return any(given), set().union(*labels)

    def extract_output(self, found: tuple[bool, set[str]]) -> _Rule:
        given, labels = found
        if given or self._by == "image":
            return _Rule(given, None)
        return _Rule(given, splitting.assign_classes(labels, self._shares, self._seed))


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
        yield Described(source.path, source.label, inspected.content_hash, source.split)


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


def _members(groups: near_duplicates.Groups) -> Iterator[tuple[str, str]]:
    for image in list(groups):
        yield image, groups.first(image)


def _contradictions(_: str, same: Iterable[Described]) -> Iterator[Any]:
    images = list(same)
    excluded = splitting.contradictions(images)
    for image in images:
        if reason := excluded.get(image.path):
            yield beam.pvalue.TaggedOutput(
                "excluded", Assigned(image.path, image.label, None, reason)
            )
        else:
            yield image


def _by_path(image: Described) -> tuple[str, Described]:
    return image.path, image


def _in_group(path: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Described]]:
    """Key each image by its group, which is named by its first image."""
    for image in found["image"]:
        yield next(iter(found["group"]), path), image


def _assign_by_rule(
    keyed: tuple[str, Iterable[Described]], rule: _Rule, seed: int
) -> Iterator[Any]:
    group = list(keyed[1])
    if rule.given or rule.split_of_class is not None:
        yield from splitting.keep_held_out(group, rule.split_of_class)
    else:
        yield beam.pvalue.TaggedOutput("pending", splitting.pending(group, seed))


def _assign_by_share(
    keyed: tuple[str, Iterable[Group]], shares: Mapping[str, float]
) -> Iterator[Assigned]:
    yield from splitting.assign(keyed[1], shares)


def _is_usable(assigned: Assigned) -> bool:
    return assigned.split is not None


def _record(assigned: Assigned, root: str, max_pixels: int) -> tuple[int, tf.train.Example]:
    try:
        record = image_record(Source(assigned.path, assigned.label), root, max_pixels)
    except ValueError as e:
        raise DataError(
            f"{printable(assigned.path)} was changed while it was read: it {e}; run again"
        ) from e
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
) -> str:
    report = tally.report(root, expected_classes, reencoded, groups.lists(), warnings)
    if several_frames.count:
        report.warnings.append(
            f"{several_frames.count} images have several frames or pages; the first is used: "
            f"{several_frames}"
        )
    return report.model_dump_json(indent=1)
