"""What the audit of a data set has to know, apart from the audit: reading it takes no time."""

from __future__ import annotations

from base.settings import Section

FINDING = "siamese finding: "
"""Prefix of the log's lines that tell a run's findings."""


class AuditSettings(Section):
    """What an audit has to know beside the data root.

    Attributes:
        layout: See `image_example_gen.sources.list_sources`.
        manifest: A CSV file, relative to the root, for the layout `manifest`.
        group: What names the groups: see `groups.group_of`.
        classes: The classes that must exist.
        max_pixels: Height times width of the largest image that is accepted.
        size: Longer side in pixels that images are resized to, that of all tiles.
        resize: How images become square.
        region: What is cut out of each image (`x`, `y`, `width`, `height`); None: all.
    """

    layout: str = "auto"
    manifest: str | None = None
    group: str | None = None
    classes: tuple[str, ...] | None = None
    max_pixels: int = 100_000_000
    size: int = 224
    resize: str = "stretch"
    region: dict[str, int] | None = None
