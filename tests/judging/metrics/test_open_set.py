"""Known against unknown images: how often the intervals hold the truth."""

import numpy as np
import pytest
from judge_views import clouds, support_set

from judging.metrics import open_set
from judging.open_set_scores import open_set_scores
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


AT = 0.6
"""Threshold of the score; both kinds of error are frequent."""
