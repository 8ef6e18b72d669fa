"""The map of the embeddings as inline SVG: a mark for each image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from records import features

WIDTH, HEIGHT, MARGIN = 1000, 620, 22

_COLOURS = 10
"""Classes that the style sheet has a colour of its own for."""
_GOLDEN_ANGLE = 137.508

_ORDER = {features.VALIDATION: 1, features.TEST: 2}

_MARKS = Markup(
    "<defs>"
    '<circle id="mark-train" r="4.5"/>'
    '<path id="mark-validation" d="M-5-5H5V5H-5Z"/>'
    '<circle id="mark-test" r="7"/>'
    '<path id="mark-unknown" d="M0-7L7 6H-7Z"/>'
    '<path id="mark-wrong" d="M-8-4L-4-8L0-4L4-8L8-4L4 0L8 4L4 8L0 4L-4 8L-8 4L-4 0Z"/>'
    "</defs>"
)


def class_style(number: int, classes: int) -> str:
    """Return the style that gives a class its colour, `--c`."""
    if classes <= _COLOURS:
        return f"--c:var(--k{number})"
    return f"--c:hsl({number * _GOLDEN_ANGLE % 360:.0f} 60% var(--map-light))"


def map_figure(
    classes: Sequence[str], marks: Sequence[tuple[str, str, bool]], places: np.ndarray
) -> Markup:
    """Return the map.

    Args:
        classes: Names of the classes, in the order of their colours.
        marks: Of n images: class, split, and whether it was misclassified.
        places: float [n, 2] in [0, 1]; NaN: the image is not drawn.
    """
    styles = {label: class_style(i, len(classes)) for i, label in enumerate(classes)}
    placed = [i for i in range(len(marks)) if np.isfinite(places[i]).all()]
    # What counts most is drawn last, above the others.
    placed.sort(key=lambda i: (marks[i][2], _ORDER.get(marks[i][1], 0)))
    drawn = [_mark(i, marks[i], styles.get(marks[i][0], "--c:var(--d)"), places[i]) for i in placed]
    wrong = sum(1 for _, _, one in marks if one)
    alt = (
        f"Map of the embeddings of {len(placed)} images of {len(classes)} classes; {wrong} test "
        "images were misclassified and are marked by crosses. Arrow keys move from image to image"
    )
    return Markup(
        '<svg class="map" id="map-figure" viewBox="0 0 {} {}" role="img" tabindex="0" '
        'aria-label="{}">{}{}</svg>'
    ).format(WIDTH, HEIGHT, alt, _MARKS, Markup("").join(drawn))


def _mark(i: int, mark: tuple[str, str, bool], style: str, place: np.ndarray) -> Markup:
    _, split, wrong = mark
    x = MARGIN + place[0] * (WIDTH - 2 * MARGIN)
    y = HEIGHT - MARGIN - place[1] * (HEIGHT - 2 * MARGIN)
    return Markup(
        '<use href="#mark-{}" class="in-{}{}" style="{}" x="{:.0f}" y="{:.0f}" data-i="{}"/>'
    ).format("wrong" if wrong else split, split, " wrong" if wrong else "", style, x, y, i)
