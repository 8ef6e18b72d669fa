"""What became of the files: a report beside the examples, and whether a run may go on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from base.errors import DataError
from base.printable import printable
from records import features
from storage.file_systems import open_file

if TYPE_CHECKING:
    from components.image_example_gen.splitting import Placed

_NAMED = 10


class ExcludedFile(BaseModel):
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
        excluded: The files that are not used.
        near_duplicates: Groups of images that show the same.
    """

    FILE: ClassVar[str] = "ingestion.json"

    root: str
    files: int
    reencoded: int
    expected_classes: list[str]
    classes: dict[str, dict[str, int]]
    excluded: list[ExcludedFile]
    near_duplicates: list[list[str]]

    @property
    def usable(self) -> int:
        """How many files are used."""
        return self.files - len(self.excluded)

    def images_in(self, split: str) -> int:
        """How many images a split has."""
        return sum(counts[split] for counts in self.classes.values())

    @classmethod
    def read(cls, examples_uri: str) -> IngestionReport:
        """The report beside ImageExampleGen's examples."""
        with open_file(os.path.join(examples_uri, cls.FILE)) as file:
            return cls.model_validate_json(file.read())

    def check(self, max_unusable: float) -> None:
        """Stop where nothing can be learned, or where too much is unusable to be by chance.

        Raises:
            DataError: Names the first files and their reasons.
        """
        share = len(self.excluded) / max(self.files, 1)
        named = "".join(f"\n  {item.path} {item.reason}" for item in self.excluded[:_NAMED])
        if len(self.excluded) > _NAMED:
            named += f"\n  and {len(self.excluded) - _NAMED} more"
        if self.usable and share > max_unusable:
            raise DataError(
                f"{len(self.excluded)} of {self.files} files in {self.root} are unusable, more "
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


class Tally:
    """Counts where images went, and lists those that are set aside."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str | None]] = Counter()
        self.excluded: list[ExcludedFile] = []

    def add(self, placed: Placed) -> None:
        """Note an image."""
        self.counts[placed.label, placed.split] += 1
        if placed.split is None:
            self.excluded.append(
                ExcludedFile(path=printable(placed.path), reason=printable(placed.reason))
            )

    def merge(self, other: Tally) -> None:
        """Note what another one has noted."""
        self.counts += other.counts
        self.excluded += other.excluded

    def report(
        self,
        root: str,
        expected_classes: Sequence[str],
        reencoded: int,
        near_duplicates: Sequence[Sequence[str]],
    ) -> IngestionReport:
        """What it comes to."""
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
            near_duplicates=[[printable(path) for path in group] for group in near_duplicates],
        )
