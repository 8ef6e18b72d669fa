import itertools
import math
import re
import xml.etree.ElementTree as ET

import pytest

from judging.judgement import Curve, Measure, Threshold
from pipeline.report import figures

INF = math.inf


def parsed(figure):
    """Of a figure and its legend, as XML, which it must be."""
    return ET.fromstring(f"<figure>{figure.replace('<li>', '<li/>')}</figure>")


def texts(figure):
    return [element.text for element in parsed(figure).iter("text")]


def measure(value):
    return Measure(value=value, low=value, high=value, images=9)


def threshold(value=0.5, false_accepts=0.25, false_rejects=0.125):
    return Threshold(
        value=value,
        false_accepts=measure(false_accepts),
        false_rejects=measure(false_rejects),
        accuracy=measure(0.8),
    )


CURVE = Curve(
    false_accepts=(0, 0.25, 1),
    true_accepts=(0, 0.875, 1),
    thresholds=(INF, 0.5, 0),
    edges=(0, 0.5, 1),
    positives=(1, 3),
    negatives=(8, 2),
)


def place(x, y):
    """Where a point of [0, 1] x [0, 1] is drawn."""
    left, right, top, bottom = 50, 400 - 12, 12, 250 - 42
    return pytest.approx((left + x * (right - left), bottom - y * (bottom - top)), abs=0.06)


def test_the_roc_curve_passes_through_the_threshold():
    drawn = parsed(figures.roc(CURVE, threshold(), "called the same", "different", "same"))
    ring = next(e for e in drawn.iter("circle") if e.get("class") == "ring")
    assert (float(ring.get("cx")), float(ring.get("cy"))) == place(0.25, 0.875)
    line = next(e.get("d") for e in drawn.iter("path") if e.get("class") == "line a")
    points = [tuple(map(float, p.split())) for p in line.removeprefix("M").split("L")]
    assert points == [place(0, 0), place(0.25, 0.875), place(1, 1)]
    assert "0.875 of the same and 0.250 of the different" in drawn.find("svg").get("aria-label")


def test_histograms_are_shares_of_each_kind():
    drawn = parsed(figures.histogram(CURVE, threshold(), "same", "different"))
    heights = {}
    for bar in drawn.find("svg").iter("path"):
        if (bar.get("class") or "").startswith("bar"):
            steps = bar.get("d").removeprefix("M").removesuffix("Z").split("L")
            ys = [float(step.split()[1]) for step in steps]
            heights[bar.get("class")] = (ys[0] - ys[1], ys[0] - ys[3])
    # 0.25 and 0.75 up, 0.8 and 0.2 down; the scale has room for the threshold's label above.
    unit = (250 - 12 - 42) / (0.8 * (1.05 + 1.25))
    assert heights["bar a"] == pytest.approx((0.25 * unit, 0.75 * unit), abs=0.11)
    assert heights["bar b"] == pytest.approx((-0.8 * unit, -0.2 * unit), abs=0.11)


@pytest.mark.parametrize("value", [-2.0, 0.5, 3.0])
def test_a_threshold_beyond_all_scores_is_drawn_too(value):
    figure = figures.histogram(CURVE, threshold(value), "same", "different")
    mark = next(e for e in parsed(figure).iter("path") if e.get("class") == "mark")
    x = float(mark.get("d").removeprefix("M").split()[0])
    assert 50 <= x <= 400 - 12
    assert f"threshold {value:.3f}" in texts(figure)


def test_what_is_no_number_is_left_out():
    no_threshold = threshold(math.nan, math.nan, math.nan)
    assert "mark" not in figures.histogram(CURVE, no_threshold, "same", "different")
    drawn = figures.roc(CURVE, no_threshold, "called the same", "different", "same")
    assert '<circle class="ring" cx="13"' in drawn  # in the legend alone
    assert drawn.count("ring") == 1
    assert "nan" not in drawn.split("</svg>")[0].split("aria-label")[1].split(">", 1)[1]


def history(**values):
    return {"history": values, "best_epoch": 2, "reference_methods": {"raw <pixels>": 0.5}}


def test_learning_curves():
    found = figures.learning_curves(
        history(loss=[3, 2, 1], auc=[0.5, 0.7, 0.9], val_auc=[0.5, math.nan, 0.8],
                val_accuracy=[0.2, 0.3, 0.4])
    )  # fmt: skip
    assert [title for title, _ in found] == ["Loss", "AUC of the pairs", "Few-shot accuracy"]
    loss, auc, accuracy = (figure for _, figure in found)
    assert texts(loss).count("kept") == 1
    assert "training ends at 1.000" in loss
    # Broken where there was no number: two points that are no line.
    assert auc.count('class="dot b"') == 2
    assert "raw &lt;pixels&gt;" in accuracy
    assert "raw <" not in accuracy


@pytest.mark.parametrize("training", [{}, history(), history(loss=[]), history(loss=[math.nan])])
def test_no_figures_without_numbers(training):
    assert figures.learning_curves(training) == []


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_axes_of_shares_end_where_shares_do(value):
    [(_, figure)] = figures.learning_curves(history(val_auc=[value, value, value]))
    ticks = [float(text) for text in re.findall(r'class="tick"[^>]*"end">([^<]*)<', figure)]
    assert value in (ticks[0], ticks[-1])
    assert all(0 <= tick <= 1 for tick in ticks)


def test_one_epoch_is_a_dot():
    [(_, figure)] = figures.learning_curves(history(loss=[1.5]))
    assert 'class="dot a"' in figure


@pytest.mark.parametrize("low", [-3.7, 0, 0.97, 1, 12345.6])
@pytest.mark.parametrize("width", [1e-4, 0.03, 0.5, 1, 2, 4.99, 5, 5.01, 7, 59, 1000])
def test_ticks_are_a_few_round_numbers_within_the_span(low, width):
    high = low + width
    ticks = figures._ticks((low, high))
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-6 * width <= tick <= high + 1e-6 * width for tick in ticks)
    steps = [b - a for a, b in itertools.pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-3)
    digits = f"{steps[0]:.3e}".partition("e")[0]
    assert float(digits) in (1, 2, 2.5, 5)


@pytest.mark.parametrize("epochs", [2, 3, 4, 8, 60, 1000])
def test_epochs_are_whole(epochs):
    assert all(tick % 1 == 0 for tick in figures._ticks((1, epochs), whole=True))
