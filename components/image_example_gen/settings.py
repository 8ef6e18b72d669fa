"""ImageExampleGen's settings, as TFX passes them to its executor."""

from __future__ import annotations

from base.settings import Section
from records import features


class Settings(Section):
    """Settings of an ingestion.

    Attributes:
        root: The data root; a folder in it may be called `span-{SPAN}` or the like.
        layout: See `sources.list_sources`.
        manifest: A CSV file, relative to the root, for the layout `manifest`.
        classes: The classes that must exist; None: the names of the class folders.
        max_unusable: Largest share of files that may be unusable.
        max_pixels: Height times width of the largest image that is accepted.
        split_by: `image` divides each class; `class` keeps classes whole.
        train: Share of the images, as are `validation` and `test`.
        folds: Number of folds in place of splits; None: splits.
        group: What names the groups of files in folders, see `groups.group_of`.
        near_duplicates: Whether copies that are not identical files are searched for.
        range: Values that become 0 and 255 in images of more than eight bits; None: found.
        region: What is cut out of each image (`x`, `y`, `width`, `height`); None: all.
        seed: Of the splits.
        code: Fingerprint of the component's code, for the cache.
    """

    root: str
    layout: str = "auto"
    manifest: str | None = None
    classes: tuple[str, ...] | None = None
    max_unusable: float = 0.1
    max_pixels: int = 100_000_000
    split_by: str = "image"
    train: float = 0.6
    validation: float = 0.2
    test: float = 0.2
    folds: int | None = None
    group: str | None = None
    near_duplicates: bool = True
    range: tuple[float, float] | None = None
    region: dict[str, int] | None = None
    seed: int = 0
    code: str = ""


def splits_of(settings: Settings) -> tuple[str, ...]:
    """Return the splits that an ingestion writes."""
    return (features.TRAIN,) if settings.folds else features.SPLITS
