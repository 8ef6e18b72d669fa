"""The images of a report: their pictures, their outcomes and their places on the map.

The page holds them once, as JSON; its script draws the gallery, the pictures behind a cell of the
confusion matrix and what the map shows of an image.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from base.printable import printable
from judging.judgement import Judgement, Picture
from judging.number_text import percent
from judging.outcomes import ImageOutcome
from pipeline.report.map_figure import class_style, map_figure
from pipeline.report.pictures import small_thumbnails
from pipeline.report.points import Points
from pipeline.report.projection import PCA, TSNE, project
from records import features

MAX_IMAGES = 2000
MAX_CLASSES = 60
"""More classes have no gallery and no legend."""


class Entry(NamedTuple):
    """An image of the album.

    Attributes:
        picture: Id, file and class.
        split: Its split, or `points.UNKNOWN`.
        predicted: The class that it was given; None if it was not judged.
        row: Its row among the embeddings; None if it has none.
    """

    picture: Picture
    split: str
    predicted: str | None
    row: int | None

    @property
    def wrong(self) -> bool:
        """Whether it was misclassified."""
        return self.predicted not in (None, self.picture.label)


class Album(NamedTuple):
    """What the page shows of the images.

    Attributes:
        json: For the page's script.
        images: Number of images.
        shown: Number of those with a picture.
        splits: Names of their splits.
        counts: Number of images by split.
        legend: Class, number of images and style of its colour; empty if there are too many.
        layouts: Names of the map's layouts, the first one shown first.
        figure: The map; None without embeddings.
        caption: A sentence on the layouts.
    """

    json: Markup
    images: int
    shown: int
    splits: Sequence[str]
    counts: dict[str, int]
    legend: Sequence[tuple[str, int, str]]
    layouts: Sequence[str]
    figure: Markup | None
    caption: str


def make_album(
    judgement: Judgement,
    outcomes: Sequence[ImageOutcome],
    points: Points | None,
    support_root: str = "",
) -> Album | None:
    """Return the album of a judged model; None if no image is known.

    Args:
        judgement: The judgement.
        outcomes: Of the test images.
        points: The embeddings of all images, if they are available.
        support_root: See `pictures.thumbnails`.
    """
    entries = _ordered(_entries(outcomes, points))[:MAX_IMAGES]
    if not entries:
        return None
    classes = sorted({one.picture.label for one in entries if one.picture.label})
    splits = [s for s in (*features.SPLITS, "unknown") if any(one.split == s for one in entries)]
    pictures = small_thumbnails(
        [one.picture for one in entries], judgement.examples, judgement.root, support_root
    )
    layouts, kept = _layouts(entries, points)
    figure = None
    if layouts:
        marks = [(one.picture.label, one.split, one.wrong) for one in entries]
        figure = map_figure(classes, marks, next(iter(layouts.values())))
    counted = Counter(one.picture.label for one in entries)
    legend = [(label, counted[label], class_style(i, len(classes)))
              for i, label in enumerate(classes)]  # fmt: skip
    return Album(
        _json(entries, classes, splits, pictures, layouts),
        len(entries),
        len(pictures),
        splits,
        dict(Counter(one.split for one in entries)),
        legend if len(classes) <= MAX_CLASSES else [],
        list(layouts),
        figure,
        _caption(layouts, kept),
    )


def _entries(outcomes: Sequence[ImageOutcome], points: Points | None) -> list[Entry]:
    rows = {}
    if points:
        rows = {id_: row for row, id_ in enumerate(points.ids) if id_}
    found = [
        Entry(Picture(id=one.id, source=one.source, label=one.label), features.TEST,
              one.predicted, rows.get(one.id))
        for one in outcomes
    ]  # fmt: skip
    if points:
        judged = {one.id for one in outcomes}
        for row, id_ in enumerate(points.ids):
            if id_ not in judged:
                picture = Picture(id=id_, source=points.sources[row], label=points.labels[row])
                found.append(Entry(picture, points.splits[row], None, row))
    return found


def _ordered(entries: Sequence[Entry]) -> list[Entry]:
    """Return errors first, then the first image of each class and split, the second, and so on."""
    splits = (features.TEST, features.VALIDATION, features.TRAIN)
    seen: Counter[tuple[str, str]] = Counter()
    keys = []
    for one in entries:
        of = (one.split, one.picture.label)
        order = splits.index(one.split) if one.split in splits else len(splits)
        keys.append((not one.wrong, seen[of], order))
        seen[of] += 1
    return [entries[i] for i in sorted(range(len(entries)), key=keys.__getitem__)]


def _layouts(
    entries: Sequence[Entry], points: Points | None
) -> tuple[dict[str, np.ndarray], float]:
    """Return the layouts of the entries: float [n, 2], NaN for an image without an embedding."""
    placed = [i for i, one in enumerate(entries) if one.row is not None]
    if points is None or len(placed) < 2:
        return {}, 0.0
    layouts, kept = project(points.embeddings[[entries[i].row for i in placed]])
    found = {}
    for name, flat in layouts.items():
        found[name] = np.full((len(entries), 2), np.nan)
        found[name][placed] = flat
    return found, kept


def _caption(layouts: dict[str, np.ndarray], kept: float) -> str:
    told = ""
    if TSNE in layouts:
        told = "t-SNE keeps neighbours together; the distances between heaps mean little. "
    return f"{told}PCA keeps {percent(kept, 0)} of the variance." if PCA in layouts else ""


def _json(
    entries: Sequence[Entry],
    classes: Sequence[str],
    splits: Sequence[str],
    pictures: dict[Picture, str],
    layouts: dict[str, np.ndarray],
) -> Markup:
    numbers = {label: i for i, label in enumerate(classes)}
    others = sorted({one.predicted for one in entries if one.predicted} - set(classes))
    numbers |= {label: len(classes) + i for i, label in enumerate(others)}
    images: list[list[Any]] = [
        [
            numbers.get(one.picture.label, -1),
            splits.index(one.split),
            -1 if one.predicted is None else numbers[one.predicted],
            printable(one.picture.source),
            pictures.get(one.picture, ""),
        ]
        for one in entries
    ]
    places = [
        [[round(v, 3) if v == v else None for v in place] for place in flat.tolist()]
        for flat in layouts.values()
    ]
    found = {"classes": [printable(label) for label in numbers], "splits": splits,
             "images": images, "places": places}  # fmt: skip
    text = json.dumps(found, ensure_ascii=True, separators=(",", ":"))
    # Ends neither the element nor a comment in it.
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
