"""Finds blank, under- and over-exposed, and blurred images.

cleanvision has fixed thresholds for these, made for photographs: it calls every drawing on white
paper over-exposed. Here an image must also differ from the others of its class, so that what is
normal in a data set is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from base.counted import counted
from images.audit.collection import Collection
from images.audit.findings import Finding, about
from images.audit.outliers import distances

_CONSTANT = 2 / 255
"""Difference of the lightest and the darkest pixel, of the range, up to which an image is blank."""

_NEARLY_BLANK = 0.04
"""The same without one percent of the pixels at both ends, for a nearly blank image."""

_USUAL = 0.25
"""Share of a class's images from which nearly blank ones are what the class looks like."""

_DARK = 0.25
"""Share of the range that 99 % of an under-exposed image's pixels are below."""

_CLIPPED = 0.6
"""Share of pixels at the upper end of the range, in an over-exposed image."""

_PARTLY_CLIPPED, _NO_SHADOWS = 0.25, 0.4
"""Or a smaller share of them, if no pixel is darker than this; ink on paper is."""

_BLURRED = -3.5
"""Logarithm of the Laplacian's variance divided by the variance: of 500 photographs of cats and
dogs at 128 pixels, one is below; nearly all are once they are blurred by two pixels."""


def find_exposure(images: Collection) -> Iterator[Finding]:
    """Yield what is wrong with the exposure and sharpness of single images."""
    labels, levels = images.labels, _levels(images)
    darkest, low, high, lightest = levels[:, 0], levels[:, 1], levels[:, 5], levels[:, 6]
    nearly = high - low <= _NEARLY_BLANK
    blank = (lightest - darkest <= _CONSTANT) | (nearly & ~_usual(nearly, labels))
    yield from about(
        images.examples(
            blank, low - high, [f"contrast {b - a:.1%}" for a, b in zip(low, high, strict=True)]
        ),
        "blank",
        "warning",
        f"{counted(int(blank.sum()), 'image', ('is', 'are'))} blank or nearly blank",
        "Remove them: there is nothing to learn from.",
    )
    dark = ~blank & (high < _DARK) & (distances(high, labels, 0.1) < -1)
    yield from about(
        images.examples(
            dark, -high, [f"99 % of the pixels below {value:.0%} of the range" for value in high]
        ),
        "dark",
        "warning",
        f"{counted(int(dark.sum()), 'image', ('is', 'are'))} under-exposed",
        "Check the exposure, and remove images that show too little.",
    )
    clipped = np.array([one.at_maximum for one in images.images]) * (lightest > 0.98)
    washed_out = (clipped > _PARTLY_CLIPPED) & (darkest > _NO_SHADOWS)
    washed_out &= distances(darkest, labels, 0.2) > 1
    bright = (clipped > _CLIPPED) & (distances(clipped, labels, 0.4) > 1)
    bright = ~blank & (bright | washed_out)
    yield from about(
        images.examples(bright, clipped, [f"{value:.0%} of the pixels white" for value in clipped]),
        "bright",
        "warning",
        f"{counted(int(bright.sum()), 'image', ('is', 'are'))} over-exposed",
        "Check the exposure, and remove images that show too little.",
    )
    sharpness = images.values("sharpness")
    blurred = ~(blank | dark | bright) & (sharpness < _BLURRED)
    blurred &= distances(sharpness, labels, 1.5) < -1
    yield from about(
        images.examples(blurred, -sharpness, [""] * len(labels)),
        "blurred",
        "warning",
        f"{counted(int(blurred.sum()), 'image', ('is', 'are'))} blurred, unlike the others",
        "Check the focus, and remove images on which a person could not tell the class.",
    )


def _levels(images: Collection) -> np.ndarray:
    """Return the percentiles `Properties.levels` of each image, as shares of the range, [n, 7].

    The range is 0 to 255; of deeper pixels it is the data set's own.
    """
    levels = np.array([one.levels for one in images.images]).reshape(-1, 7)
    deep = np.array([one.highest > 255 for one in images.images], bool)
    levels[~deep] /= 255
    if deep.any():
        low, high = levels[deep, 0].min(), levels[deep, 6].max()
        levels[deep] = (levels[deep] - low) / ((high - low) or 1)
    return levels


def _usual(found: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return for each image whether many of its class are found, bool [n]."""
    shares = {label: found[labels == label].mean() for label in set(labels.tolist())}
    return np.array([shares[label] > _USUAL for label in labels.tolist()], bool)
