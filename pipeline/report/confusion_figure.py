"""The confusion matrix at a glance, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from base.printable import printable

_SIDE = 26
_LONGEST_LABEL, _CHARACTER = 20, 7
"""Of a class's name: its characters, and the width of one."""

_LABEL = Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>')
_CELL = Markup(
    '<rect class="cell {}" style="--s:{:.2f}" x="{}" y="{}" width="{size}" height="{size}"/>'
)
_COUNT = Markup('<text class="count" x="{:.0f}" y="{:.1f}">{}</text>')


def confusion_figure(labels: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """Return a small confusion matrix.

    Args:
        labels: Of the columns.
        rows: True class, and the number of images by column.
    """
    names = [_short(truth) for truth, _ in rows]
    left = 10 + _CHARACTER * max(map(len, names))
    drawn = []
    for y, (truth, counts) in enumerate(rows):
        drawn.append(_LABEL.format(left - 8, (y + 0.68) * _SIDE, printable(names[y])))
        drawn += _cells(y, left, [label == truth for label in labels], counts)
    right = sum(counts[labels.index(truth)] for truth, counts in rows)
    total = sum(sum(counts) for _, counts in rows)
    width = left + len(labels) * _SIDE
    alt = f"Confusion matrix: {right} of {total} test images are on the diagonal, which is correct"
    return Markup(
        '<svg class="glance" viewBox="0 0 {} {}" style="--w:{}px" role="img" aria-label="{}">'
        "{}</svg>"
    ).format(width, len(rows) * _SIDE, width, alt, Markup("").join(drawn))


def _cells(y: int, left: int, is_own: Sequence[bool], counts: Sequence[int]) -> list[Markup]:
    drawn = []
    for x, count in enumerate(counts):
        kind = "right" if is_own[x] else "wrong" if count else "none"
        share, place = count / max(1, sum(counts)), left + x * _SIDE
        drawn.append(_CELL.format(kind, share, place, y * _SIDE, size=_SIDE - 2))
        if count:
            drawn.append(_COUNT.format(place + _SIDE / 2 - 1, (y + 0.68) * _SIDE, count))
    return drawn


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
