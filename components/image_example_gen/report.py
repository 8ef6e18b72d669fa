"""What became of the files: a report beside the examples, and whether a run may go on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from components import features
from components.data_error import DataError
from components.printable import printable

if TYPE_CHECKING:
    from components.image_example_gen.inspection import Inspected
    from components.image_example_gen.splitting import Assignment

_NAMED = 10


class SetAside(BaseModel):
    """A file that is not used, and why; the reason is a predicate ("is empty")."""

    path: str
    reason: str


class IngestionReport(BaseModel):
    """What became of the files.

    Attributes:
        root: The data root.
        files: How many there were.
        reencoded: How many go on as a PNG, since TensorFlow would decode them otherwise.
        expected_classes: The classes that there should be.
        classes: How many usable images each class has in each split.
        set_aside: The files that are not used.
        near_duplicates: Groups of images that show the same.
    """

    FILE: ClassVar[str] = "ingestion.json"

    root: str
    files: int
    reencoded: int
    expected_classes: list[str]
    classes: dict[str, dict[str, int]]
    set_aside: list[SetAside]
    near_duplicates: list[list[str]]

    @property
    def usable(self) -> int:
        """How many files are used."""
        return self.files - len(self.set_aside)

    @classmethod
    def read(cls, examples_uri: str) -> IngestionReport:
        """The report beside ImageExampleGen's examples."""
        from tfx.dsl.io import fileio

        with fileio.open(os.path.join(examples_uri, cls.FILE), "rb") as file:
            return cls.model_validate_json(file.read())

    def check(self, max_unusable: float) -> None:
        """Stop where nothing can be learned, or where too much is unusable to be by chance.

        Raises:
            DataError: Names the first files and their reasons.
        """
        share = len(self.set_aside) / self.files
        named = "".join(f"\n  {item.path} {item.reason}" for item in self.set_aside[:_NAMED])
        if len(self.set_aside) > _NAMED:
            named += f"\n  and {len(self.set_aside) - _NAMED} more"
        if self.usable and share > max_unusable:
            raise DataError(
                f"{len(self.set_aside)} of {self.files} files in {self.root} are unusable, more "
                f"than data.max_unusable ({max_unusable:g}) allows. Mend or remove them, or raise "
                f"the limit:{named}"
            )
        with_images = [label for label, counts in self.classes.items() if sum(counts.values())]
        if len(with_images) < 2:
            found = f"only one class ({with_images[0]})" if with_images else "no class"
            raise DataError(
                f"{self.root} has {found} with usable images; at least two are needed, each in a "
                f"folder of its own{':' if named else ''}{named}"
            )


def make_report(
    root: str,
    expected_classes: Sequence[str],
    assignment: Assignment,
    groups: Sequence[Sequence[str]],
    inspected: Sequence[Inspected],
) -> IngestionReport:
    """The report of one ingestion."""
    labels = sorted({*expected_classes, *(one.source.label for one in inspected)})
    classes = {printable(label): dict.fromkeys(features.SPLITS, 0) for label in labels}
    set_aside = []
    for one in inspected:
        split = assignment.splits.get(one.source.path)
        if split is None:
            reason = printable(one.problem or assignment.set_aside[one.source.path])
            set_aside.append(SetAside(path=printable(one.source.path), reason=reason))
        else:
            classes[printable(one.source.label)][split] += 1
    return IngestionReport(
        root=root,
        files=len(inspected),
        reencoded=sum(one.reencoded for one in inspected),
        expected_classes=[printable(label) for label in expected_classes],
        classes=classes,
        set_aside=set_aside,
        near_duplicates=[[printable(path) for path in group] for group in groups],
    )
