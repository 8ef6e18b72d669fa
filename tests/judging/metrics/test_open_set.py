"""Known against unknown images: how often the intervals hold the truth."""

import numpy as np
import pytest
from judge_views import clouds, support_set

from judging.metrics import open_set
from judging.open_set_scores import Scores, open_set_scores
from judging.statistics.intervals import clopper_pearson, effective_number


def judged(classes, each, unknown, seed, at):
    """Values and intervals of `open_set.METRICS`."""
    points, labels = clouds(classes, each, 0.45, seed)
    unknown, _ = clouds(1, unknown, 0.45, seed + 1_000_000, first=10)
    scores = open_set_scores(support_set(classes), points, labels, unknown)
    found = open_set.measure([scores], [at], np.arange(len(points) + len(unknown)))
    [values], variances = found.values, np.diag(found.covariance)
    columns = zip(values, variances, found.groups, found.least, strict=True)
    return values, [clopper_pearson(v, effective_number(v, *rest)) for v, *rest in columns]


@pytest.mark.parametrize(("classes", "each", "unknown"), [(4, 12, 0), (8, 6, 0), (4, 12, 25)])
def test_metrics_are_covered(classes, each, unknown):
    test_set, draws = (classes, each, unknown), 600
    truth = np.mean([judged(*test_set, 10_000 + seed, AT)[0] for seed in range(800)], axis=0)
    assert ((truth > 0.05) & (truth < 0.95)).all()  # nearer to the end, shares are too coarse
    held = [
        [i.low <= t <= i.high for i, t in zip(judged(*test_set, seed, AT)[1], truth, strict=True)]
        for seed in range(draws)
    ]
    covered = np.mean(held, axis=0)
    of_both, of_one_kind = covered[:2], covered[2:]
    assert ((of_both >= 0.93) & (of_both <= 0.985)).all(), (truth, covered)
    # A plain share of so few images has few values: the exact interval is conservative.
    assert (of_one_kind >= 0.94).all(), (truth, covered)


def test_of_a_new_class_a_rate_is_known_as_well_as_classes_agree():
    labels, images = np.repeat(list("abcde"), 40), np.arange(200)
    agreeing = np.tile(np.where(np.arange(40) < 4, 0.8, 0.1), 5)  # 4 of 40 of each class
    apart = np.where(np.arange(200) < 20, 0.8, 0.1)  # 20 of 40 of one class
    found = []
    for unknown in (agreeing, apart):
        scores = Scores(np.full(200, 0.9), images, unknown, images)
        measured = open_set.measure([scores], [0.5], images)
        [by_images] = open_set._with_intervals(["model"], measured).values()
        of_class = open_set.for_new_class(by_images, scores, 0.5, images, labels)
        accepts, rejects = of_class["false_accepts"], of_class["false_rejects"]
        assert accepts.value == pytest.approx(0.1)
        assert (accepts.classes, rejects.classes) == (5, None)
        for name in open_set.METRICS:
            assert of_class[name].low <= by_images[name].low
            assert of_class[name].classes == 5
        found.append(accepts)
    assert found[0].high < 0.5
    assert found[1].high > 0.9
    assert found[1].low == 0


AT = 0.6
"""Threshold of the score; both kinds of error are frequent."""
