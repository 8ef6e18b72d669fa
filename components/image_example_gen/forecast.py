"""Forecasts the splits before any image is read; copies among the images are not known then."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from base.counted import counted
from base.printable import printable
from components.image_example_gen import folds, splitting
from components.image_example_gen.sources import Source
from components.image_example_gen.splitting import Group, Quota
from records import features

_NAMED = 3
"""Classes that a message names."""

Counts = dict[str, dict[str, int]]
"""What counts for pairs, by class and split: images in `train`, groups elsewhere, since two images
of one group are no pair to judge by. An image of no group is one by itself."""


def counts_of_given(sources: Iterable[Source]) -> Counts:
    """Return the counts of the splits that the data set gives; without one it is `train`."""
    return _counted((one, one.split or features.TRAIN) for one in sources)


def counts_of_whole_classes(
    sources: Sequence[Source], shares: Mapping[str, float], seed: int
) -> Counts:
    """Return the counts where whole classes are held out.

    Args:
        sources: The files, none of which has a split yet.
        shares: Share of each split of `features.SPLITS`; their sum is 1.
        seed: Of the splits.
    """
    split_of = splitting.assign_classes({one.label for one in sources}, shares, seed)
    return _counted((one, split_of[one.label]) for one in sources)


def _counted(assigned: Iterable[tuple[Source, str]]) -> Counts:
    found: dict[str, dict[str, int]] = {}
    seen = set()
    for source, split in assigned:
        counts = found.setdefault(source.label, dict.fromkeys(features.SPLITS, 0))
        one = (source.label, split, _group_of(source))
        if split == features.TRAIN or one not in seen:
            counts[split] += 1
        seen.add(one)
    return found


def _group_of(source: Source) -> str:
    return f"image {source.path}" if source.group is None else f"group {source.group}"


def counts_by_share(sources: Iterable[Source], shares: Mapping[str, float]) -> Counts:
    """Return about what the counts will be where the classes are divided.

    Args:
        sources: The files, none of which has a split yet.
        shares: Share of each split of `features.SPLITS`; their sum is 1.
    """
    groups, totals = _groups(sources)
    found = {label: dict.fromkeys(features.SPLITS, 0) for label in totals}
    for group, split in _assigned(groups, splitting.quotas(totals, shares)):
        for label, images in group.counts:
            found[label][split] += images if split == features.TRAIN else 1
    return found


def too_few_for_folds(sources: Iterable[Source], count: int) -> str | None:
    """Return why no fold would have pairs of both kinds, and what would suffice; None if one has.

    Args:
        sources: The files.
        count: Number of folds.
    """
    groups, totals = _groups(sources)
    if few := [printable(label) for label, (images, _) in sorted(totals.items()) if images < 2]:
        more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
        return (
            f"{', '.join(few[:_NAMED])}{more} with one image: no labelled image is left to judge "
            f"the model by, and unlabelled ones cannot judge it. {folds.LEAST} images of each "
            "class suffice; or train without such a class, and add it to the pushed model with "
            "siamese enroll, for which one image suffices"
        )
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for group, fold in _assigned(groups, folds.fold_quotas(totals, count)):
        found[fold].update(label for label, _ in group.counts)
    if any(len(of_fold) > 1 and max(of_fold.values()) > 1 for of_fold in found.values()):
        return None
    return (
        "no fold would have two images of one class, of different groups, and one of another: "
        f"{folds.LEAST} of each class suffice, of different groups if there are groups: add "
        "images, or set splits.folds: null"
    )


def _assigned(groups: list[Group], quotas: Mapping[str, Quota]) -> Iterator[tuple[Group, str]]:
    """Yield each group with its split or fold; those of several classes come first."""
    yield from splitting.assign([one for one in groups if len(one.counts) > 1], quotas)
    yield from splitting.assign([one for one in groups if len(one.counts) == 1], quotas)


def _groups(sources: Iterable[Source]) -> tuple[list[Group], dict[str, tuple[int, int]]]:
    """Return the groups of images, and the numbers of images and of groups of each class."""
    of_group = _classes_of_groups(sources)
    groups = [
        Group(-counts.total(), name, name, tuple(sorted(counts.items())))
        for name, counts in of_group.items()
    ]
    totals: dict[str, tuple[int, int]] = {}
    for group in groups:
        for label, images in group.counts:
            known = totals.get(label, (0, 0))
            totals[label] = known[0] + images, known[1] + 1
    return groups, totals


def _classes_of_groups(sources: Iterable[Source]) -> dict[str, Counter[str]]:
    """Return the number of images of each class in each group."""
    of_group: dict[str, Counter[str]] = defaultdict(Counter)
    for source in sources:
        of_group[_group_of(source)][source.label] += 1
    return of_group


def too_few(classes: Counts, grouped: bool) -> str | None:
    """Return which split would have no pairs of both kinds; None if all have some.

    Args:
        classes: The counts.
        grouped: Whether any image is in a group.
    """
    for split in features.SPLITS:
        sizes = {label: counts[split] for label, counts in classes.items() if counts[split]}
        if len(sizes) < 2 or max(sizes.values()) < 2:
            count, of = sum(sizes.values()), len(sizes)
            unit = "group" if grouped and split != features.TRAIN else "image"
            without = [printable(label) for label in sorted(classes) if label not in sizes]
            none_of = f" and none of {', '.join(without[:_NAMED])}" if without else ""
            return (
                f"the split '{split}' would have {counted(count, unit)} of {of} "
                f"class{'' if of == 1 else 'es'}{none_of}, and needs two classes, and two {unit}s "
                "of one of them"
            )
    return None
