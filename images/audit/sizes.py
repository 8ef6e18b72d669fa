"""Finds images of an odd size, shape or depth, and files of several frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from base.counted import counted
from images.audit.collection import Collection
from images.audit.findings import Finding, about

_SIDE_FACTOR = 4.0
"""How many times an odd image's longer side is that of the median image, or the reverse."""

_SHAPE_FACTOR = 2.5
"""The same for height divided by width."""

_FENCES = 3.0
"""Interquartile ranges beyond the quartiles that an odd value is: Tukey's "far out"."""

_RARE = 0.1
"""Largest share of images of another depth that are the odd ones out."""


def find_sizes(images: Collection, size: int) -> Iterator[Finding]:
    """Yield what is odd about the dimensions, depth and frames of single images.

    Args:
        images: The measured images.
        size: Longer side in pixels that images are resized to, that of all tiles.
    """
    width, height = images.values("width"), images.values("height")
    side = np.maximum(width, height)
    sizes = [f"{w:.0f} x {h:.0f}" for w, h in zip(width, height, strict=True)]
    far = _far_out(np.log(side), np.log(_SIDE_FACTOR))
    yield from about(
        images.examples(far, np.abs(np.log(side) - np.median(np.log(side))), sizes),
        "odd_size",
        "warning",
        f"{counted(int(far.sum()), 'image', ('has', 'have'))} an unusual size; the median is "
        f"{np.median(width):.0f} x {np.median(height):.0f} pixels",
        "Check whether they are thumbnails, or show something else than the others.",
    )
    shape = np.log(height / width)
    odd = ~far & _far_out(shape, np.log(_SHAPE_FACTOR))
    yield from about(
        images.examples(odd, np.abs(shape - np.median(shape)), sizes),
        "odd_shape",
        "warning",
        f"{counted(int(odd.sum()), 'image', ('has', 'have'))} an unusual height to width",
        "Check whether they were cut out like the others.",
    )
    small = ~far & (side < size / 4)
    yield from about(
        images.examples(small, -side, sizes),
        "small",
        "note",
        f"{counted(int(small.sum()), 'image', ('is', 'are'))} enlarged more than fourfold, to "
        f"{size} pixels",
        "Set image.size (or image.tiles) closer to the images' own size: enlarging adds nothing.",
    )
    yield from _depths(images)
    frames = images.values("frames")
    yield from about(
        images.examples(frames > 1, frames, [f"{count:.0f} frames" for count in frames]),
        "frames",
        "warning",
        f"{counted(int((frames > 1).sum()), 'file', ('has', 'have'))} several pages or frames; the "
        "first is used",
        "Save the frames that you want as files of their own.",
    )


def _depths(images: Collection) -> Iterator[Finding]:
    """Yield images of a depth that few have."""
    depths = images.values("depth")
    for depth in sorted(set(depths.tolist())):
        found = depths == depth
        if found.mean() <= _RARE:
            yield from about(
                images.examples(found, depths, [f"{depth:.0f} bits"] * len(depths)),
                "depth",
                "warning",
                f"{counted(int(found.sum()), 'image', ('has', 'have'))} {depth:.0f} bits, "
                "unlike the others",
                "Save all images with the same depth: their grey levels mean different things.",
            )


def _far_out(values: np.ndarray, least: float) -> np.ndarray:
    """Return which values are far from the others, and at least `least` from their median."""
    low, middle, high = (float(np.percentile(values, share)) for share in (25, 50, 75))
    fence = _FENCES * (high - low)
    outside = (values < low - fence) | (values > high + fence)
    return outside & (np.abs(values - middle) >= least)
