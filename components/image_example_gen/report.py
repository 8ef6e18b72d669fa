"""The report that ImageExampleGen writes next to its examples, and whether a run may continue."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from base.errors import DataError
from base.printable import printable
from components.image_example_gen.value_range import ValueRange
from records import features
from storage.file_systems import open_file

if TYPE_CHECKING:
    from components.image_example_gen.splitting import Assigned
    from images.near_duplicates import Groups

_NAMED = 10

_MAX_COPIES = 0.5
_MIN_COPIES = 5
"""A group of at least five near-duplicates may be at most half of a class."""


class ExcludedFile(BaseModel):
    """An excluded file; the reason completes "the file ...", such as "is empty"."""

    path: str
    reason: str


class IngestionReport(BaseModel):
    """The files of an ingestion.

    Attributes:
        root: The data root.
        files: Number of files.
        reencoded: Number of images that were re-encoded as PNG, since TensorFlow would decode them
            differently.
        expected_classes: The classes that must exist.
        classes: Number of usable images, by class and split.
        excluded: The files that are not used.
        groups: Number of groups in each split: images that belong together, such as those of a
            patient, and copies, are one; any other image is one by itself.
        near_duplicates: Groups of images that show the same.
        range: The values that become 0 and 255 in images of more than eight bits; None if there are
            none, or if all 65,536 values are used.
        most_copies: Number of images of the largest of these groups, by class.
        folds: Number of images in each fold; empty where there are splits instead.
        warnings: What the user should know about the images, a sentence each.
    """

    FILE: ClassVar[str] = "ingestion.json"

    root: str
    files: int
    reencoded: int
    expected_classes: list[str]
    classes: dict[str, dict[str, int]]
    excluded: list[ExcludedFile]
    near_duplicates: list[list[str]]
    range: ValueRange | None = None
    most_copies: dict[str, int] = {}
    warnings: list[str] = []
    groups: dict[str, int] = {}
    folds: list[int] = []

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the images are in."""
        return (features.TRAIN,) if self.folds else features.SPLITS

    @property
    def usable(self) -> int:
        """Number of files that are used."""
        return self.files - len(self.excluded)

    def images_in(self, split: str) -> int:
        """Return the number of images in a split."""
        return sum(counts[split] for counts in self.classes.values())

    @classmethod
    def read(cls, examples_uri: str) -> IngestionReport:
        """Read the report next to ImageExampleGen's examples."""
        with open_file(os.path.join(examples_uri, cls.FILE)) as file:
            return cls.model_validate_json(file.read())

    def check(self, max_unusable: float) -> None:
        """Refuse fewer than two classes, or too large a share of unusable files.

        Raises:
            DataError: The message names the first files and their reasons.
        """
        share = len(self.excluded) / max(self.files, 1)
        named = "".join(f"\n  {item.path} {item.reason}" for item in self.excluded[:_NAMED])
        if len(self.excluded) > _NAMED:
            named += f"\n  and {len(self.excluded) - _NAMED} more"
        if self.usable and share > max_unusable:
            raise DataError(
                f"{len(self.excluded)} of {self.files} files in {self.root} are unusable, more "
                f"than data.max_unusable ({max_unusable:g}) allows. Fix or remove them, or raise "
                f"the limit:{named}"
            )
        with_images = [label for label, counts in self.classes.items() if sum(counts.values())]
        if len(with_images) < 2:
            found = f"only one class ({with_images[0]})" if with_images else "no class"
            raise DataError(
                f"{self.root} has {found} with usable images; at least two are needed, each in a "
                f"folder of its own{':' if named else ''}{named}"
            )

    def check_copies(self) -> None:
        """Refuse a class that consists of copies of one image for the most part.

        Raises:
            DataError: The message names the class, some of the images, and what to do.
        """
        for label, count in sorted(self.most_copies.items()):
            images = max(sum(self.classes.get(label, {}).values()), count)
            if count < _MIN_COPIES or count <= _MAX_COPIES * images:
                continue
            groups = [group for group in self.near_duplicates if len(group) == count]
            # Of a manifest, paths need not name the class.
            group = next((one for one in groups if f"{label}/" in one[0]), groups[0])
            raise DataError(
                f"{count} of {images} images of class '{label}' are near-duplicates of one image, "
                f"such as {', '.join(group[:3])}. They stay in one split, so the class cannot be "
                "trained on and judged. If they are copies, remove all but one; if they are "
                "pictures of one specimen or session, say so by splits.group; if they differ in "
                "what matters, set splits.near_duplicates: false"
            )


def _contradictions(copies: Groups) -> list[str]:
    """Return warnings on near-duplicates under two classes."""
    if not (pairs := copies.contradictions):
        return []
    named = "; ".join(f"{printable(a)} and {printable(b)}" for a, b in pairs[:3])
    more = f"; and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    return [
        f"{len(pairs)} pairs of near-duplicates are under two classes, of which one may be wrong: "
        f"{named}{more}"
        if len(pairs) > 1
        else f"Near-duplicates are under two classes, of which one may be wrong: {named}"
    ]


class Tally:
    """Counts images by class and split, and lists the excluded ones."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str | None]] = Counter()
        self.excluded: list[ExcludedFile] = []
        self.groups: Counter[str] = Counter()
        self.folds: Counter[int] = Counter()
        self.groups_of_class: Counter[str] = Counter()
        self.first_group: dict[str, str] = {}

    def add(self, assigned: Assigned) -> None:
        """Count an image."""
        self.counts[assigned.label, assigned.split] += 1
        if assigned.split is not None and assigned.counts_group:
            self.groups[assigned.split] += 1
        if assigned.fold != features.NO_FOLD:
            self.folds[assigned.fold] += 1
        if assigned.counts_class:
            self.groups_of_class[assigned.label] += 1
            self.first_group.setdefault(assigned.label, assigned.group)
        if assigned.split is None:
            self.excluded.append(
                ExcludedFile(path=printable(assigned.path), reason=printable(assigned.reason))
            )

    def merge(self, other: Tally) -> None:
        """Add the counts of another tally."""
        self.counts += other.counts
        self.excluded += other.excluded
        self.groups += other.groups
        self.folds += other.folds
        self.groups_of_class += other.groups_of_class
        self.first_group = {**other.first_group, **self.first_group}

    def whole_classes(self) -> Iterator[str]:
        """Yield warnings on classes that are one group, a sentence each, without a full stop."""
        for label, group in sorted(self.first_group.items()):
            counts = {s: n for s in features.SPLITS if (n := self.counts[label, s])}
            if self.groups_of_class[label] == 1 and sum(counts.values()) > 1:
                [split] = counts
                so = (
                    "so no fold can judge them: a class needs two groups to be learned and judged"
                    if self.folds
                    else f"so they are in '{split}' alone: a class needs three groups to be "
                    "trained on and judged"
                )
                yield (
                    f"All {counts[split]} images of class '{printable(label)}' are one group "
                    f"({printable(group)}), {so}"
                )

    def report(
        self,
        root: str,
        expected_classes: Sequence[str],
        reencoded: int,
        copies: Groups,
        warnings: Sequence[str] = (),
    ) -> IngestionReport:
        """Return the report."""
        labels = sorted({*expected_classes, *(label for label, _ in self.counts)})
        classes = {printable(label): dict.fromkeys(features.SPLITS, 0) for label in labels}
        for (label, split), count in self.counts.items():
            if split is not None:
                classes[printable(label)][split] += count
        return IngestionReport(
            root=root,
            files=self.counts.total(),
            reencoded=reencoded,
            expected_classes=[printable(label) for label in expected_classes],
            classes=classes,
            excluded=sorted(self.excluded, key=lambda item: item.path),
            near_duplicates=[[printable(path) for path in group] for group in copies.lists()],
            most_copies={printable(label): count for label, count in copies.largest.items()},
            warnings=[*warnings, *self.whole_classes(), *_contradictions(copies)],
            groups={split: self.groups[split] for split in features.SPLITS},
            folds=[self.folds[fold] for fold in range(max(self.folds, default=-1) + 1)],
        )
