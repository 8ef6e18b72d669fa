"""The confusion matrix at a glance, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from base.printable import printable

_SIDE, _LEFT = 26, 150
_LONGEST_LABEL = 20

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
    drawn = [
        part for y, (truth, counts) in enumerate(rows) for part in _row(y, truth, labels, counts)
    ]
    right = sum(counts[labels.index(truth)] for truth, counts in rows)
    total = sum(sum(counts) for _, counts in rows)
    width = _LEFT + len(labels) * _SIDE
    alt = f"Confusion matrix: {right} of {total} test images are on the diagonal, which is correct"
    return Markup(
        '<svg class="glance" viewBox="0 0 {} {}" style="--w:{}px" role="img" aria-label="{}">'
        "{}</svg>"
    ).format(width, len(rows) * _SIDE, width, alt, Markup("").join(drawn))


def _row(y: int, truth: str, labels: Sequence[str], counts: Sequence[int]) -> list[Markup]:
    cut = truth if len(truth) <= _LONGEST_LABEL else f"{truth[: _LONGEST_LABEL - 1]}…"
    base = (y + 0.68) * _SIDE
    drawn = [_LABEL.format(_LEFT - 8, base, printable(cut))]
    for x, count in enumerate(counts):
        kind = "right" if labels[x] == truth else "wrong" if count else "none"
        share, left = count / max(1, sum(counts)), _LEFT + x * _SIDE
        drawn.append(_CELL.format(kind, share, left, y * _SIDE, size=_SIDE - 2))
        if count:
            drawn.append(_COUNT.format(left + _SIDE / 2 - 1, base, count))
    return drawn
