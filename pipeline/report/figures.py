"""Figures as inline SVG; the page's style sheet has their colours, light and dark.

Texts are escaped. Each figure has an alternative text, and series differ in more than colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from judging.judgement import Curve, Measure, Threshold
from judging.number_text import number

_WIDTH, _HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 12, 12, 42


class Series(NamedTuple):
    """A line of a figure.

    Attributes:
        label: In the legend.
        points: x and y of each point; a non-finite value breaks the line.
        style: `a`, `b`, `c` or `d`: colour and dashes in the style sheet.
    """

    label: str
    points: Sequence[tuple[float, float]]
    style: str


def learning_curves(training: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """Return titles and figures of a training, from its `training.json`."""
    history, kept = training.get("history", {}), training.get("best_epoch")
    found = []
    for title, lines in _PANELS.items():
        series = [
            Series(label, list(enumerate(history[name], start=1)), style)
            for label, name, style in lines
            if _any_number(history.get(name, ()))
        ]
        if not series:
            continue
        epochs = max(len(one.points) for one in series)
        if title == "Few-shot accuracy":
            series += [
                Series(label, [(1, value), (max(2, epochs), value)], style)
                for (label, value), style in zip(
                    training.get("reference_methods", {}).items(), "cd", strict=False
                )
            ]
        values = [y for one in series for _, y in one.points if math.isfinite(y)]
        low, high = _span(values)
        if title in _SHARES:
            low, high = max(low, 0.0), min(high, 1.0)
        plot = _Plot((1, max(2, epochs)), (low, high), "epoch", "", whole_x=True)
        if kept:
            plot.upright(kept, "kept")
        for one in series:
            plot.line(one)
        words = "; ".join(f"{one.label} ends at {number(one.points[-1][1])}" for one in series)
        found.append((title, plot.figure(f"{title} by epoch: {words}", series)))
    return found


def roc(curve: Curve, threshold: Threshold, yes: str, negatives: str, positives: str) -> Markup:
    """Return a ROC curve with the point of the model's threshold.

    Args:
        curve: The curve.
        threshold: The model's threshold.
        yes: The decision at or above the threshold ("classified as same").
        negatives: Name of the negative cases, in the plural.
        positives: Name of the positive cases.
    """
    line = Series("model", list(zip(curve.false_accepts, curve.true_accepts, strict=True)), "a")
    chance = Series("chance", [(0, 0), (1, 1)], "d")
    plot = _Plot((0, 1), (0, 1), f"{negatives} {yes}", f"{positives} {yes}")
    plot.line(chance)
    plot.line(line)
    false, true = threshold.false_accepts.value, 1 - threshold.false_rejects.value
    plot.point(false, true)
    alt = (
        f"ROC curve. At the model's threshold, {number(true)} of the {positives} and "
        f"{number(false)} of the {negatives} are {yes}"
    )
    return plot.figure(alt, [line, chance], point="the model's threshold")


def histogram(curve: Curve, threshold: Threshold, positives: str, negatives: str) -> Markup:
    """Return a histogram of scores: positives above the line, negatives below, each as shares."""
    above, below = (positives, curve.positives), (negatives, curve.negatives)
    return mirrored(curve.edges, above, below, threshold.value)


def mirrored(
    edges: Sequence[float],
    above: tuple[str, Sequence[int]],
    below: tuple[str, Sequence[int]],
    threshold: float = math.nan,
) -> Markup:
    """Return two histograms of scores, one above the line and one below, each as shares.

    Args:
        edges: Of the bins.
        above: Name and counts of one sample.
        below: Of the other.
        threshold: To mark; NaN: none.
    """
    kinds = [(*above, 1, "a"), (*below, -1, "b")]
    shares = {name: [count / max(1, sum(counts)) for count in counts] for name, counts, *_ in kinds}
    most = max((max(values, default=0) for values in shares.values()), default=0) or 1
    low, high = edges[0], edges[-1]
    if math.isfinite(threshold):
        low, high = min(low, threshold), max(high, threshold)
    plot = _Plot((low, high), (-most * 1.05, most * 1.25), "score", "share", mirror=True)
    for name, _, side, style in kinds:
        plot.bars(edges, [side * share for share in shares[name]], style)
    plot.level(0)
    alt = f"Histogram of scores: {above[0]} above the line, {below[0]} below it"
    if math.isfinite(threshold):
        plot.upright(threshold, f"threshold {number(threshold)}")
        alt += f"; threshold {number(threshold)}"
    legend = [
        Series(f"{above[0]} (above)", (), "bar a"),
        Series(f"{below[0]} (below)", (), "bar b"),
    ]
    return plot.figure(alt, legend)


def trend(title: str, measures: Sequence[Measure | None]) -> Markup:
    """Return a metric of several runs, the latest last, with its 95 % intervals.

    Args:
        title: The metric's name.
        measures: Of each run; None if it was not measured.
    """
    known = [(x, m) for x, m in enumerate(measures, start=1) if m and math.isfinite(m.value)]
    ends = [end for _, m in known for end in (m.low, m.high, m.value) if math.isfinite(end)]
    low, high = _span(ends)
    plot = _Plot((0.5, len(measures) + 0.5), (max(low, 0), min(high, 1)), "run", "", whole_x=True)
    for x, m in known:
        if math.isfinite(m.low) and math.isfinite(m.high):
            plot.line(Series("", [(x, m.low), (x, m.high)], "d"))
    plot.line(Series("", [(x, m.value) for x, m in known], "a"))
    for x, m in known:
        plot.line(Series("", [(x, m.value)], "a"))
    words = ", ".join(number(m.value) for _, m in known)
    return plot.figure(f"{title} of the last runs, the latest last: {words}", [])


_PANELS = {
    "Loss": (("training", "loss", "a"),),
    "AUC of the pairs": (("training", "auc", "a"), ("validation", "val_auc", "b")),
    "Few-shot accuracy": (("validation", "val_accuracy", "b"),),
}
_SHARES = ("AUC of the pairs", "Few-shot accuracy")


class _Plot:
    """Axes and what is drawn between them."""

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        x_label: str,
        y_label: str,
        whole_x: bool = False,
        mirror: bool = False,
    ) -> None:
        self._x_span, self._y_span = x, y
        self._drawn = [
            Markup('<text class="label" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, x_label
            )
        ]
        if y_label:
            self._drawn.append(
                Markup(
                    '<text class="label" transform="translate(11 {:.1f}) rotate(-90)" '
                    'text-anchor="middle">{}</text>'
                ).format((_TOP + _HEIGHT - _BOTTOM) / 2, y_label)
            )
        for value in _ticks(x, whole_x):
            self._stroke("grid", [(value, y[0]), (value, y[1])])
            self._text("tick", self._x(value), _HEIGHT - _BOTTOM + 15, _number(value), "middle")
        for value in _ticks(y):
            self._stroke("grid", [(x[0], value), (x[1], value)])
            shown = abs(value) if mirror else value
            self._text("tick", _LEFT - 6, self._y(value) + 4, _number(shown), "end")

    def line(self, series: Series) -> None:
        for part in _unbroken(series.points):
            self._stroke(f"line {series.style}", part)
            if len(part) == 1:
                self._dot(*part[0], f"dot {series.style}")

    def bars(self, edges: Sequence[float], heights: Sequence[float], style: str) -> None:
        # One path: forty rectangles would be ten times as long.
        at = self._y(0)
        steps = [f"M{self._x(edges[0]):.1f} {at:.1f}"]
        for left, right, height in zip(edges, edges[1:], heights, strict=False):
            top = self._y(height)
            steps.append(f"L{self._x(left):.1f} {top:.1f}L{self._x(right):.1f} {top:.1f}")
        steps.append(f"L{self._x(edges[-1]):.1f} {at:.1f}Z")
        self._drawn.append(Markup('<path class="bar {}" d="{}"/>').format(style, "".join(steps)))

    def upright(self, x: float, label: str) -> None:
        self._stroke("mark", [(x, self._y_span[0]), (x, self._y_span[1])])
        right_half = self._x(x) > (_LEFT + _WIDTH - _RIGHT) / 2
        self._text(
            "label", self._x(x) + (-5 if right_half else 5), _TOP + 10, label,
            "end" if right_half else "start",
        )  # fmt: skip

    def level(self, y: float) -> None:
        self._stroke("axis", [(self._x_span[0], y), (self._x_span[1], y)])

    def point(self, x: float, y: float) -> None:
        if math.isfinite(x) and math.isfinite(y):
            self._dot(x, y, "ring")

    def figure(self, alt: str, legend: Sequence[Series], point: str = "") -> Markup:
        """Return the SVG and its legend."""
        entries = [
            Markup('<li><svg class="key" viewBox="0 0 26 12" aria-hidden="true">{}</svg>{}').format(
                Markup('<rect class="{}" x="1" y="1" width="24" height="10"/>').format(one.style)
                if one.style.startswith("bar")
                else Markup('<path class="line {}" d="M1 6H25"/>').format(one.style),
                one.label,
            )
            for one in legend
        ]
        if point:
            entries.append(
                Markup(
                    '<li><svg class="key" viewBox="0 0 26 12" aria-hidden="true">'
                    '<circle class="ring" cx="13" cy="6" r="4.5"/></svg>{}'
                ).format(point)
            )
        return Markup(
            '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
            '<ul class="legend">{}</ul>'
        ).format(_WIDTH, _HEIGHT, alt, Markup("").join(self._drawn), Markup("").join(entries))

    def _stroke(self, style: str, points: Sequence[tuple[float, float]]) -> None:
        path = "M" + "L".join(f"{self._x(x):.1f} {self._y(y):.1f}" for x, y in points)
        self._drawn.append(Markup('<path class="{}" d="{}"/>').format(style, path))

    def _dot(self, x: float, y: float, style: str) -> None:
        self._drawn.append(
            Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4.5"/>').format(
                style, self._x(x), self._y(y)
            )
        )

    def _text(self, style: str, x: float, y: float, text: str, anchor: str) -> None:
        self._drawn.append(
            Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
                style, x, y, anchor, text
            )
        )

    def _x(self, value: float) -> float:
        low, high = self._x_span
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        low, high = self._y_span
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def _unbroken(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    parts: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if all(map(math.isfinite, point)):
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _ticks(span: tuple[float, float], whole: bool = False) -> list[float]:
    """Return up to six multiples of a round number within the span."""
    low, high = span
    magnitude = 10.0 ** math.floor(math.log10((high - low) / 5))
    steps = [magnitude * factor for factor in (1, 2, 2.5, 5, 10)]
    slack = 1e-6
    step = next(s for s in steps if (high - low) / s <= 5 + slack and not (whole and s % 1))
    first, last = math.ceil(low / step - slack), math.floor(high / step + slack)
    return [number * step for number in range(first, last + 1)]


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Return the range of the values with a margin."""
    low, high = min(values), max(values)
    room = (high - low) * 0.08 or max(abs(high), 1.0) * 0.1
    return low - room, high + room


def _number(value: float) -> str:
    return f"{0.0 if abs(value) < 1e-12 else value:.4g}"


def _any_number(values: Sequence[float]) -> bool:
    return any(math.isfinite(value) for value in values)
