"""The Beam steps that assign images to splits.

No step sees all images: they are grouped by content, by group and by class. Gathered in one place
are only the copies, the groups that they join, and the counts by class of groups that are in
several classes.

Nothing here imports TFX's components, since that takes each Beam worker 30 seconds.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import apache_beam as beam

from base.errors import DataError
from components.image_example_gen import folds, splitting
from components.image_example_gen.splitting import Assigned, Described, Group, Quota
from images import near_duplicates


class AssignSplits(beam.PTransform):
    """Assigns usable images (`Described`), given their `near_duplicates.Groups`, to splits.

    Args:
        shares: Share of each split of `features.SPLITS`; their sum is 1.
        by: `image` divides each class; `class` keeps classes whole.
        seed: Seed of the ranking hash.
        folds: Number of folds to deal the images to, in place of splits; None: no folds.
    """

    def __init__(
        self, shares: Mapping[str, float], by: str, seed: int, folds: int | None = None
    ) -> None:
        super().__init__()
        self._shares, self._by, self._seed, self._folds = dict(shares), by, seed, folds

    def expand(self, collections: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        """Return each image once, as `Assigned`."""
        described, groups = collections
        same_content = (
            described
            | "ByContent" >> beam.GroupBy("content_hash")
            | "SameContent"
            >> beam.FlatMapTuple(_same_content).with_outputs("excluded", "copies", main="images")
        )
        rule = same_content.images | "Rule" >> beam.CombineGlobally(
            _FindRule(self._shares, self._by, self._seed, self._folds)
        )
        copies = (
            (groups | "Pairs" >> beam.FlatMap(_pairs), same_content.copies)
            | "AllCopies" >> beam.Flatten()
            | "JoinCopies" >> beam.CombineGlobally(JoinGroups())
        )
        kept = (
            {
                "image": same_content.images | "ByPath" >> beam.Map(_by_path),
                "group": copies | "Members" >> beam.FlatMap(_members),
            }
            | "FindCopies" >> beam.CoGroupByKey()
            | "ByFirstCopy" >> beam.FlatMapTuple(_by_first_copy)
            | "GroupCopies" >> beam.GroupByKey()
            | "KeepHeldOut"
            >> beam.FlatMap(_keep_held_out, beam.pvalue.AsSingleton(rule)).with_outputs(
                "excluded", "links", main="images"
            )
        )
        links = kept.links | "JoinGroups" >> beam.CombineGlobally(JoinGroups())
        whole = (
            kept.images
            | "ByGroup" >> beam.Map(_by_group, beam.pvalue.AsSingleton(links))
            | "Whole" >> beam.GroupByKey()
            | "Assign" >> beam.FlatMap(_whole, self._seed).with_outputs("pending", main="assigned")
        )
        by_share = whole.pending | AssignByShare(self._shares, self._folds)
        return (
            same_content.excluded,
            kept.excluded,
            whole.assigned,
            by_share,
        ) | "Assigned" >> beam.Flatten()


class AssignByShare(beam.PTransform):
    """Assigns groups to splits (`Assigned`): those of several classes first, then each class.

    Args:
        shares: Share of each split of `features.SPLITS`; their sum is 1.
        folds: As in `AssignSplits`.
    """

    def __init__(self, shares: Mapping[str, float], folds: int | None = None) -> None:
        super().__init__()
        self._shares, self._folds = dict(shares), folds

    def expand(self, groups: beam.PCollection) -> beam.PCollection:
        """Return each image once."""
        totals = groups | "Counts" >> beam.FlatMap(_counts) | "Total" >> beam.CombinePerKey(_sums)
        spanning = groups | "Spanning" >> beam.Filter(_is_spanning)
        plan = beam.pvalue.AsSingleton(
            groups.pipeline
            | "Once" >> beam.Create([None])
            | "Plan"
            >> beam.Map(
                _plan,
                beam.pvalue.AsIter(spanning | "CountsAlone" >> beam.Map(_without_images)),
                beam.pvalue.AsDict(totals),
                self._shares,
                self._folds,
            )
        )
        placed = (
            spanning | "AssignSpanning" >> beam.FlatMap(_assign_spanning, plan),
            groups
            | "OfOneClass" >> beam.FlatMap(_by_class)
            | "ByClass" >> beam.GroupByKey()
            | "AssignClass" >> beam.FlatMap(_assign_class, plan),
        ) | "AssignedByShare" >> beam.Flatten()
        return placed | "InFold" >> beam.Map(folds.in_fold) if self._folds else placed


class JoinGroups(beam.CombineFn):
    """Joins pairs of images into groups."""

    def create_accumulator(self) -> near_duplicates.Groups:
        """Return no groups."""
        return near_duplicates.Groups()

    def add_input(
        self, groups: near_duplicates.Groups, pair: tuple[str, str]
    ) -> near_duplicates.Groups:
        """Join the groups of a pair."""
        groups.join(*pair)
        return groups

    def merge_accumulators(self, found: Iterable[near_duplicates.Groups]) -> near_duplicates.Groups:
        """Join the groups that have an image in common."""
        merged = near_duplicates.Groups()
        for groups in found:
            for pair in groups.items():
                merged.join(*pair)
        return merged

    def extract_output(self, groups: near_duplicates.Groups) -> near_duplicates.Groups:
        """Return the groups."""
        return groups


class _Plan(NamedTuple):
    """How groups are assigned.

    Attributes:
        split_of: The split of each group that is in several classes, by name.
        quotas: What each class still has to give, after these.
    """

    split_of: dict[str, str]
    quotas: Mapping[str, Quota]


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

    def __init__(self, shares: Mapping[str, float], by: str, seed: int, folds: int | None) -> None:
        self._shares, self._by, self._seed, self._folds = shares, by, seed, folds

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
        if given and self._folds:
            raise DataError(
                "the data set gives images their splits, and splits.folds would deal them to "
                "folds; set splits.folds: null"
            )
        if given or self._by == "image":
            return _Rule(given, None)
        return _Rule(given, splitting.assign_classes(labels, self._shares, self._seed))


def _pairs(groups: near_duplicates.Groups) -> Iterator[tuple[str, str]]:
    yield from groups.items()


def _members(groups: near_duplicates.Groups) -> Iterator[tuple[str, str]]:
    for image in list(groups):
        yield image, groups.first(image)


def _same_content(_: str, same: Iterable[Described]) -> Iterator[Any]:
    """Exclude contradictions, and join copies even where near-duplicates are not looked for."""
    images = sorted(same)
    excluded = splitting.contradictions(images)
    for image in images:
        if reason := excluded.get(image.path):
            yield beam.pvalue.TaggedOutput(
                "excluded", Assigned(image.path, image.label, None, reason)
            )
            continue
        yield image
        if image is not images[0]:
            yield beam.pvalue.TaggedOutput("copies", (images[0].path, image.path))


def _by_path(image: Described) -> tuple[str, Described]:
    return image.path, image


def _by_first_copy(path: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Described]]:
    """Key each image by the first of its copies."""
    for image in found["image"]:
        yield next(iter(found["group"]), path), image


def _keep_held_out(keyed: tuple[str, Iterable[Described]], rule: _Rule) -> Iterator[Any]:
    """Yield images by the group that they are in, and which groups copies link."""
    first, images = keyed[0], sorted(keyed[1])
    if rule.given or rule.split_of_class is not None:
        by_path = {image.path: image for image in images}
        images = []
        for one in splitting.keep_held_out(list(by_path.values()), rule.split_of_class):
            if one.split is None:
                yield beam.pvalue.TaggedOutput("excluded", one)
            else:
                images.append(by_path[one.path]._replace(split=one.split))
    copied, of_copies = len(images) > 1, f"copies of {first}"
    for image in images:
        own = f"image {image.path}" if image.group is None else f"group {image.group}"
        if copied and image.group is not None:
            yield beam.pvalue.TaggedOutput("links", (of_copies, own))
        yield of_copies if copied else own, image


def _by_group(keyed: tuple[str, Described], links: near_duplicates.Groups) -> tuple[str, Described]:
    name, image = keyed
    return (links.first(name) if name in links else name), image


def _whole(keyed: tuple[str, Iterable[Described]], seed: int) -> Iterator[Any]:
    name, images = keyed[0], list(keyed[1])
    given = [(image.path, image.label, image.split) for image in images if image.split is not None]
    if given:
        yield from splitting.assigned(name, given)
    else:
        yield beam.pvalue.TaggedOutput("pending", splitting.pending(name, images, seed))


def _counts(group: Group) -> Iterator[tuple[str, tuple[int, int]]]:
    for label, images in group.counts:
        yield label, (images, 1)


def _sums(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    images, groups = zip((0, 0), *counts, strict=True)
    return sum(images), sum(groups)


def _is_spanning(group: Group) -> bool:
    return len(group.counts) > 1


def _without_images(group: Group) -> Group:
    return group._replace(images=())


def _plan(
    _: None,
    spanning: Iterable[Group],
    totals: Mapping[str, tuple[int, int]],
    shares: Mapping[str, float],
    count: int | None,
) -> _Plan:
    of_class: Mapping[str, Quota] = (
        folds.fold_quotas(totals, count) if count else splitting.quotas(totals, shares)
    )
    split_of = {group.name: split for group, split in splitting.assign(spanning, of_class)}
    return _Plan(split_of, of_class)


def _assign_spanning(group: Group, plan: _Plan) -> Iterator[Assigned]:
    yield from group.in_split(plan.split_of[group.name])


def _by_class(group: Group) -> Iterator[tuple[str, Group]]:
    if not _is_spanning(group):
        yield group.counts[0][0], group


def _assign_class(keyed: tuple[str, Iterable[Group]], plan: _Plan) -> Iterator[Assigned]:
    label, groups = keyed
    of_class = {label: copy.deepcopy(plan.quotas[label])}
    for group, split in splitting.assign(groups, of_class):
        yield from group.in_split(split)
