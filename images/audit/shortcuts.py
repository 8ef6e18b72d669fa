"""Finds what tells the classes apart without being content: shortcuts.

A model that uses the camera, the file format or the size of an image looks excellent on the test
split, and fails on images from elsewhere (Geirhos et al. 2020, "Shortcut learning in deep neural
networks").
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from images.audit.collection import Collection
from images.audit.findings import Finding
from images.audit.properties import Properties
from images.audit.separability import Histogram, Separability

_SIGNIFICANCE = 0.02
"""Of all properties together (Bonferroni)."""

_GAIN = 0.3
"""Share of the way from chance to certainty from which a shortcut is worth a warning."""

_CONTENT_GAIN = 0.5
"""The same for properties that may be content."""

_SHOWN = 4
"""Classes whose values are named."""

_CROPS = 0.2
"""Distinct sizes per image from which images are cut out one by one, so that size is content."""


class _Property(NamedTuple):
    """A property that might be a shortcut.

    Attributes:
        name: As users call it.
        of: Returns its value for an image; None: unknown.
        content: Whether it may be part of what the classes look like.
    """

    name: str
    of: Callable[[Properties], Any]
    content: bool = False


_PROPERTIES = (
    _Property("file format", lambda one: one.format),
    _Property("JPEG quality", lambda one: one.quality),
    _Property("colour mode", lambda one: one.mode),
    _Property("bit depth", lambda one: one.depth),
    _Property("camera (EXIF)", lambda one: one.camera or None),
    _Property("software (EXIF)", lambda one: one.software or None),
    _Property("date (EXIF)", lambda one: one.taken or None),
    _Property("image width", lambda one: one.width),
    _Property("image height", lambda one: one.height),
    _Property("aspect ratio", lambda one: round(one.width / one.height, 2)),
    _Property("mean brightness", lambda one: one.mean / one.highest, True),
    _Property("contrast", lambda one: one.spread / one.highest, True),
    _Property("sharpness", lambda one: one.sharpness, True),
    _Property("colourfulness", lambda one: one.colourfulness, True),
    _Property("file size", lambda one: one.file_size / (one.height * one.width), True),
)

_OF_THE_FORMAT = ("JPEG quality", "file size")
_OF_THE_SIZE = ("image width", "image height", "aspect ratio")


def find_shortcuts(images: Collection, resize: str) -> Iterator[Finding]:
    """Yield the properties that tell the classes apart.

    Args:
        images: The measured images.
        resize: How images become square: `stretch`, or one that keeps the aspect ratio.
    """
    found = _significant(images)
    sizes = {(one.width, one.height) for one in images.images}
    cut_out = len(sizes) > _CROPS * len(images.images)
    for one, measured in found:
        if not one.content and one.name not in _OF_THE_SIZE:
            yield _warning(images, one, measured)
    of_size = [(one, m) for one, m in found if one.name in _OF_THE_SIZE]
    if of_size and not cut_out:
        yield _warning(images, *max(of_size, key=lambda pair: pair[1].gain))
    aspect = next((pair for pair in of_size if pair[0].name == "aspect ratio"), None)
    if aspect and resize == "stretch":
        yield _aspect(images, *aspect)
    elif of_size and cut_out:
        yield _warning(images, *max(of_size, key=lambda pair: pair[1].gain), grade="note")
    if content := [(one, m) for one, m in found if one.content]:
        yield _content(content, len(set(images.labels.tolist())))


def _significant(images: Collection) -> list[tuple[_Property, Separability]]:
    """Return the properties that tell classes apart well, and not by chance."""
    found, labels = [], images.labels.tolist()
    for one in _PROPERTIES:
        histogram = Histogram([one.of(image) for image in images.images], labels)
        if histogram.constant:
            continue
        measured = histogram.separability()
        large = measured.gain >= (_CONTENT_GAIN if one.content else _GAIN)
        # The test takes longest.
        if (large or (measured.own and not one.content)) and (
            histogram.p_value() * len(_PROPERTIES) <= _SIGNIFICANCE
        ):
            found.append((one, measured))
    if any(one.name == "file format" for one, _ in found):
        found = [pair for pair in found if pair[0].name not in _OF_THE_FORMAT]
    return found


def _warning(
    images: Collection, one: _Property, measured: Separability, grade: str = "warning"
) -> Finding:
    return Finding(
        kind="shortcut",
        grade=grade,
        text=f"The classes differ in {one.name}{_own(images, one, measured)}: a model can be right "
        "without looking at the content",
        advice="Take the images of all classes in the same way, or convert them all alike, and "
        "test on images from another source.",
    )


def _aspect(images: Collection, one: _Property, measured: Separability) -> Finding:
    return Finding(
        kind="aspect_ratio",
        grade="note",
        text=f"The classes differ in aspect ratio{_own(images, one, measured)}, which "
        "image.resize: stretch hides from the model",
        advice="If the shape of the objects matters, set image.resize to pad.",
    )


def _content(found: Sequence[tuple[_Property, Separability]], classes: int) -> Finding:
    named = ", ".join(f"{one.name} ({m.accuracy:.0%})" for one, m in found)
    return Finding(
        kind="appearance",
        grade="note",
        text=f"Simple measures tell the classes apart: {named}; chance is {1 / classes:.0%}",
        advice="This is as it should be if the classes look like that. If it comes from lighting "
        "or the camera, photograph all classes alike.",
    )


def _own(images: Collection, one: _Property, measured: Separability) -> str:
    """Return in brackets which classes have their own values, and which."""
    values: dict[str, list[Any]] = {}
    for label, image in zip(images.labels.tolist(), images.images, strict=True):
        values.setdefault(label, []).append(one.of(image))
    shown = [label for label in sorted(values) if label in measured.own] or sorted(values)
    words = "; ".join(f"{label}: {_typical(values[label])}" for label in shown[:_SHOWN])
    if len(shown) > _SHOWN:
        words += "; ..."
    if 0 < len(measured.own) < len(values):
        words = f"{len(measured.own)} of {len(values)} classes have their own, {words}"
    return f" ({words})"


def _typical(values: Sequence[Any]) -> str:
    """Return the usual value or range of a class."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) / 2:
        return "none"
    (most, count), *_ = Counter(known).most_common(1)
    if count > len(known) / 2 or not isinstance(most, int | float):
        return str(most) if count == len(known) else f"mostly {most}"
    low, *_, high = statistics.quantiles(known, n=20)
    return f"{low:.4g} to {high:.4g}"
