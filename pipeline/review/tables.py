"""The queue as a CSV file, and decisions from one."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from base.errors import UserError
from review.class_names import LabelError, class_label
from review.queue import QueueItem
from traffic.reviews import AlreadyReviewed
from traffic.rows import Decision, Review
from traffic.store import TrafficStore

DECISIONS = ("digest", "decision", "label", "group", "reviewer")
"""Columns that are read; the others are for people."""

COLUMNS = (
    *DECISIONS, "file", "kept", "source", "given_label", "predicted", "known", "probability",
    "margin", "time",
)  # fmt: skip


class TableError(UserError):
    """A table of decisions that cannot be used; the message names the line."""


class Imported(NamedTuple):
    """What became of the lines of a table.

    Attributes:
        kept: Number of decisions that were kept.
        empty: Number of lines without one.
    """

    kept: int
    empty: int


def export_queue(path: Path, store: TrafficStore, items: Iterable[QueueItem]) -> int:
    """Write the queue with empty columns for the decisions; return the number of lines."""
    lines = [_row(store, item) for item in items]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, COLUMNS, restval="")
        rows.writeheader()
        rows.writerows(lines)
    return len(lines)


def import_decisions(
    path: Path, store: TrafficStore, reviewer: str = "", replace: bool = False
) -> Imported:
    """Keep the decisions of a table; lines without a label and a decision are left out.

    Nothing is kept if a line is wrong, or another person has made another decision meanwhile.

    Args:
        path: A CSV file with the column `digest`, and `label` or `decision` (`label`, `none`,
            `skip`), and perhaps `group` and `reviewer`.
        store: The traffic store.
        reviewer: Who decided, where the table does not say.
        replace: Whether earlier decisions are replaced.

    Raises:
        TableError: The table or a line cannot be read, an image is not kept, or has been reviewed
            otherwise.
    """
    reviews: list[Review] = []
    lines: dict[str, str] = {}
    empty = 0
    for where, values in _rows(path):
        review = _review(store, values, where, reviewer)
        if review is None:
            empty += 1
        elif (other := lines.setdefault(review.digest, where)) != where:
            raise TableError(f"{where}: is about the same image as {other}; leave one of them out")
        else:
            reviews.append(review)
    try:
        store.review(*reviews, replace=replace)
    except AlreadyReviewed as e:
        raise TableError(
            f"{lines[e.review.digest]}: {e}; --replace takes the decisions of the table. No line "
            "was kept"
        ) from e
    return Imported(len(reviews), empty)


def _row(store: TrafficStore, item: QueueItem) -> dict[str, str]:
    image, answer = item
    row = {
        "digest": image.digest,
        "file": str(store.image_path(image.digest)),
        "kept": image.kept.value,
        "source": image.source,
        "given_label": image.given_label,
        "time": f"{image.time:.3f}",
    }
    if answer is not None:
        row |= {
            "predicted": answer.label,
            "known": str(answer.known).lower(),
            "probability": _number(answer.probability),
            "margin": _number(answer.margin),
        }
    return row


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the place and the values of each line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            columns = [name.strip().lower() for name in rows.fieldnames or ()]
            if "digest" not in columns or not {"label", "decision"} & set(columns):
                raise TableError(
                    f"{path}: has no column digest, or neither label nor decision; write a table "
                    "by siamese review --export and fill it in"
                )
            rows.fieldnames = columns
            for values in rows:
                yield f"{path}, line {rows.line_num}", {k: (values.get(k) or "") for k in DECISIONS}
    except (UnicodeDecodeError, csv.Error) as e:
        raise TableError(f"{path}: is not a CSV file in UTF-8 ({e}); save it as one") from e


def _review(
    store: TrafficStore, values: dict[str, str], where: str, reviewer: str
) -> Review | None:
    """Return the decision of a line; None if there is none."""
    digest, decision, label, group, by = (values[name].strip() for name in DECISIONS)
    if not label and not decision:
        return None
    try:
        said = Decision(decision.lower()) if decision else Decision.LABEL
    except ValueError:
        allowed = ", ".join(one.value for one in Decision)
        raise TableError(f"{where}: decision {decision!r} must be one of {allowed}") from None
    if (said is Decision.LABEL) != bool(label):
        raise TableError(
            f"{where}: a decision {said.value!r} "
            + ("needs a label" if said is Decision.LABEL else f"with the label {label!r}")
        )
    if len(digest) != 64 or store.image(digest) is None:
        raise TableError(f"{where}: no image {digest[:12]!r} is kept (any more); leave it out")
    try:
        label = label and class_label(label)
    except LabelError as e:
        raise TableError(f"{where}: {e}") from e
    return Review(digest, time.time(), said, label, by or reviewer, group)
