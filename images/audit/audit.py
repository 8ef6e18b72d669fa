"""Audits a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from base.counted import counted
from images.audit.collection import Collection, File, collect, sample
from images.audit.copies import find_copies
from images.audit.exposure import find_exposure
from images.audit.findings import Audit, Example, Finding, about
from images.audit.label_errors import find_label_errors
from images.audit.shortcuts import find_shortcuts
from images.audit.sizes import find_sizes
from images.canonical import MAX_PIXELS, Region

MAX_IMAGES = 2000
"""Images that are read; of a larger data set a sample, so that an audit takes minutes at most."""

_FEW = 5
_IMBALANCE = 20.0


def audit(
    root: str,
    files: Sequence[File],
    max_pixels: int = MAX_PIXELS,
    size: int = 224,
    resize: str = "stretch",
    max_images: int = MAX_IMAGES,
    region: Region | None = None,
) -> Audit:
    """Return what a user should know of a data set before training on it.

    Args:
        root: The data root, a local path or an address.
        files: All files of the data set.
        max_pixels: Height times width of the largest image that is accepted.
        size: Longer side in pixels that images are resized to, that of all tiles.
        resize: How images become square: `stretch`, or one that keeps the aspect ratio.
        max_images: Maximum number of images that are read.
        region: What a run cuts out of each image, and is audited; None: all of it.
    """
    chosen = sample(files, max_images)
    images = collect(root, chosen, max_pixels, region)
    findings = [*_find_unusable(images), *_find_counts(files)]
    if images.images:
        findings += find_exposure(images)
        findings += find_sizes(images, size)
        findings += find_copies(images)
        findings += find_shortcuts(images, resize)
        findings += find_label_errors(images)
    return Audit(
        root=root,
        files=len(files),
        audited=len(chosen),
        classes=dict(sorted(Counter(file.label for file in files).items())),
        findings=tuple(sorted(findings, key=lambda one: one.grade != "warning")),
        **_described(images),
    )


def _find_unusable(images: Collection) -> Iterator[Finding]:
    examples = [
        Example(path=file.path, label=file.label, detail=file.problem or "")
        for file in images.unusable
    ]
    yield from about(
        examples,
        "unusable",
        "warning",
        f"{counted(len(examples), 'file', ('is', 'are'))} unusable and will be excluded",
        "Replace or remove them.",
    )


def _find_counts(files: Sequence[File]) -> Iterator[Finding]:
    counts = Counter(file.label for file in files).most_common()
    if few := [f"{label} ({count})" for label, count in counts if count < _FEW]:
        named = ", ".join(few[:_FEW]) + (", ..." if len(few) > _FEW else "")
        yield Finding(
            kind="few_images",
            grade="warning",
            text=f"{len(few)} of {len(counts)} classes have fewer than {_FEW} images: {named}",
            advice="Add images: so few can hardly be judged.",
        )
    (most, many), (least, few_of) = counts[0], counts[-1]
    if many > _IMBALANCE * few_of:
        yield Finding(
            kind="imbalance",
            grade="note",
            text=f"Class {most} has {many:,} images and class {least} has {few_of:,}",
            advice="Add images of the small classes, or leave out some of the large ones.",
        )


def _described(images: Collection) -> dict[str, dict]:
    """Return the fields of `Audit` that describe the images as a whole."""
    if not images.images:
        return {}
    modes = Counter(f"{one.mode}, {one.depth} bits" for one in images.images)
    levels = {
        depth: (
            min(one.levels[0] for one in images.images if one.depth == depth),
            max(one.levels[-1] for one in images.images if one.depth == depth),
        )
        for depth in sorted({one.depth for one in images.images})
    }
    sizes = {}
    for side in ("width", "height"):
        values = images.values(side)
        sizes[side] = (int(values.min()), int(np.median(values)), int(values.max()))
    return {
        "formats": dict(Counter(one.format for one in images.images).most_common()),
        "modes": dict(modes.most_common()),
        "sizes": sizes,
        "levels": levels,
    }
