"""What the score of a class is made of is chosen by classes that were left out."""

import numpy as np
import pytest

from judging.classifier import BestScores
from judging.score_choice import NOTHING_TO_COMPARE, ScoreChoice, choose_score
from judging.thresholds import known_and_unknown


def near(means, each, spread, seed):
    """Points near the directions of classes, and their labels."""
    rng = np.random.default_rng(seed)
    points = np.repeat(means, each, axis=0) + spread * rng.normal(size=(len(means) * each, 12))
    return points, np.repeat([f"c{i:02d}" for i in range(len(means))], each)


def by_leaving_out(means, spread):
    support, labels = near(means, 10, spread, 1)
    found = known_and_unknown(support, labels, *near(means, 20, spread, 2))
    return choose_score(found.known, found.unknown, found.labels)


def test_many_similar_classes_are_scored_by_margin():
    """Three groups of six: an unknown image is about as near to one of its group as to the next."""
    means = np.repeat(np.eye(12)[:3], 6, axis=0)
    means += 0.1 * np.random.default_rng(0).normal(size=means.shape)
    choice = by_leaving_out(means, 0.1)
    assert choice.scored_by == "margin"
    assert choice.auroc["margin"] > choice.auroc["cosine"] + 0.01


def test_few_classes_apart_are_scored_by_cosine():
    choice = by_leaving_out(np.eye(12)[:4], 0.4)
    assert choice.scored_by == "cosine"
    assert choice.auroc["cosine"] > choice.auroc["margin"]


def two_ways(gains, count=400):
    """Scores by which the margin raises each left-out class's AUROC by about a gain, by hand."""
    known = BestScores(np.zeros(count), np.zeros(count))
    cosine, margin = np.empty((2, len(gains), count))
    for c, gain in enumerate(gains):
        above = np.arange(count) < count * 0.3
        cosine[c] = np.where(above, 0.1, -0.1)
        later = np.arange(count) < count * (0.3 - gain)
        margin[c] = 2 * (2 * np.where(later, 0.1, -0.1) - cosine[c])
    labels = np.repeat([f"c{i}" for i in range(len(gains))], count)
    return known, BestScores(cosine.ravel(), margin.ravel()), labels


@pytest.mark.parametrize(
    ("gains", "scored_by"),
    [
        ([0.1, 0.05, 0.08], "margin"),
        ([0.2, -0.1, 0.02, 0.0], "cosine"),  # better on average, but by less than its error
        ([-0.1, -0.05, -0.08], "cosine"),
        ([0.0, 0.0, 0.0], "cosine"),
        ([0.1, 0.1, 0.1], "margin"),
        ([0.1, 0.1], "cosine"),  # two classes say too little
    ],
)
def test_the_margin_must_gain_more_than_the_standard_error(gains, scored_by):
    choice = choose_score(*two_ways(gains))
    assert choice.scored_by == scored_by
    if len(gains) > 2:
        assert choice.auroc["cosine"] == pytest.approx(0.7)
        assert choice.auroc["margin"] == pytest.approx(0.7 + np.mean(gains))
        assert all(f"{area:.3f}" in choice.sentence() for area in choice.auroc.values())


def test_a_large_class_counts_as_a_small_one():
    known, unknown, labels = two_ways([0.2, 0.19, -0.05])
    many = np.concatenate([np.arange(len(labels)), *[np.flatnonzero(labels == "c2")] * 20])
    one, other = (
        choose_score(known, unknown, labels),
        choose_score(known, unknown.only(many), labels[many]),
    )
    assert one.auroc == pytest.approx(other.auroc)


def test_nothing_to_compare_is_the_cosine():
    known, unknown, labels = two_ways([0.1, 0.1, 0.1])
    nothing = BestScores(np.empty(0), np.empty(0))
    broken = unknown._replace(cosine=unknown.cosine * np.nan)
    assert choose_score(nothing, unknown, labels) == NOTHING_TO_COMPARE
    assert choose_score(known, nothing, labels[:0]) == NOTHING_TO_COMPARE
    assert choose_score(known, broken, labels) == NOTHING_TO_COMPARE
    assert NOTHING_TO_COMPARE.sentence().endswith("there was nothing to compare scores by.")
    assert NOTHING_TO_COMPARE.summary()["scored_by"] == "cosine"


@pytest.mark.parametrize(
    ("scored_by", "cosine", "margin", "end"),
    [
        ("cosine", 0.9, 0.8, "other class: 0.800."),
        ("cosine", 0.8, 0.81, "other class: 0.810, not better by more than its standard error."),
        ("margin", 0.8, 0.9, "0.900 of known images against those of classes left out; its cosine: "
         "0.800."),
    ],
)  # fmt: skip
def test_the_sentence_gives_the_reason(scored_by, cosine, margin, end):
    choice = ScoreChoice(scored_by, {"cosine": cosine, "margin": margin})
    assert choice.sentence().endswith(end)
