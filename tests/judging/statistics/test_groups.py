"""Intervals of images that come in groups: copies add nothing, and groups are what varies."""

import numpy as np
import pytest

from judging.measurements import minus, share, share_correlation
from judging.statistics import roc
from judging.statistics.influence import share as share_of
from judging.statistics.influence import stacked
from judging.statistics.intervals import (
    by_groups,
    by_pairs,
    clopper_pearson,
    effective_groups,
    effective_number,
)
from records.pair_sampling import held_out_pairs


def correlated_hits(rng, groups, each, accuracy, within, draws):
    """Hits bool [draws, groups * each]; the images of a group agree with a probability `within`."""
    of_group = rng.random((draws, groups, 1)) < accuracy
    own = rng.random((draws, groups, each)) < accuracy
    return np.where(rng.random((draws, groups, each)) < within, of_group, own).reshape(draws, -1)


@pytest.mark.parametrize(("groups", "each"), [(6, 4), (12, 6), (30, 4)])
@pytest.mark.parametrize("within", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("accuracy", [0.7, 0.85])
def test_a_share_of_grouped_images_is_covered(groups, each, within, accuracy):
    rng = np.random.default_rng(0)
    hits = correlated_hits(rng, groups, each, accuracy, within, 1500)
    group = np.repeat(np.arange(groups), each)
    covered = np.mean([m.low <= accuracy <= m.high for m in (share(h, group) for h in hits)])
    assert covered >= 0.93


def test_counted_image_by_image_the_truth_is_missed_often():
    rng = np.random.default_rng(0)
    hits = correlated_hits(rng, 12, 6, 0.8, 1.0, 1000)
    covered = np.mean([m.low <= 0.8 <= m.high for m in (share(h, np.arange(72)) for h in hits)])
    assert covered < 0.75


@pytest.mark.parametrize("right", [8, 7, 4])
def test_copies_do_not_narrow_an_interval(right):
    once = np.arange(8) < right
    alone = share(once, np.arange(8))
    copied = share(np.repeat(once, 4), np.repeat(np.arange(8), 4))
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    assert copied.images == 32


def test_groups_of_different_sizes_count_less_than_equal_ones():
    assert effective_groups(np.repeat(np.arange(6), 4)) == pytest.approx(6)
    assert effective_groups(np.arange(24)) == 24
    assert effective_groups(np.repeat([0, 1, 2], [10, 1, 1])) == pytest.approx(144 / 102)


def test_the_difference_of_two_models_on_groups_is_covered():
    rng = np.random.default_rng(0)
    group, found = np.repeat(np.arange(12), 4), []
    for _ in range(1000):
        both = np.repeat(rng.random(12), 4)
        one, other = both < 0.9, (both + rng.normal(0, 0.1, 48)) < 0.7
        gap = minus(share(one, group), share(other, group), share_correlation(one, other, group))
        found.append((gap.low, gap.high, gap.value))
    low, high, value = np.array(found).T
    truth = value.mean()
    assert np.mean((low <= truth) & (truth <= high)) >= 0.93


def test_the_covariance_of_pairs_is_over_all_that_have_a_group_in_common():
    rng = np.random.default_rng(1)
    left, right = (ends := np.array([(i, j) for i in range(9) for j in range(i)])).T
    groups = np.array([0, 0, 1, 1, 2, 3, 4, 4, 4])
    influence = rng.normal(size=(2, len(ends)))
    expected = np.zeros((2, 2))
    for p, one in enumerate(groups[ends]):
        for q, other in enumerate(groups[ends]):
            if set(one) & set(other):
                expected += np.outer(influence[:, p], influence[:, q])
    found = by_pairs(influence, left, right, groups) * (3 / 5) ** 2
    np.testing.assert_allclose(found[0, 1], expected[0, 1])


@pytest.mark.parametrize(("classes", "groups", "each"), [(2, 6, 4), (4, 6, 4), (3, 12, 3)])
def test_metrics_of_pairs_are_covered(classes, groups, each):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), groups * each)
    group = np.repeat(np.arange(classes * groups), each)
    drawn = held_out_pairs([b"%d" % label for label in labels], 16, 500, 0)
    left, right = np.array([block.images for block in drawn]).T
    same = labels[left] == labels[right]

    def similarities():
        own = rng.normal(size=(classes * groups, 4))[group]
        x = 2 * np.eye(4)[labels] + 0.8 * own + 0.6 * rng.normal(size=own.shape)
        return -np.linalg.norm(x[left] - x[right], axis=1)

    threshold = float(np.median(similarities()))

    def metrics(scores):
        ranked = roc.Roc(scores, same)
        accuracy = share_of((scores >= threshold) == same, np.ones(len(scores), bool))
        return [roc.auc(ranked), roc.equal_error_rate(ranked), accuracy]

    def intervals():
        [values], influence = stacked([metrics(similarities())])
        variances = np.diag(by_pairs(influence, left, right, group))
        rest = classes * groups // 2, effective_groups(group) / 2, len(left)
        return [
            clopper_pearson(v, effective_number(v, variance, *rest))
            for v, variance in zip(values, variances, strict=True)
        ]

    truth = np.mean([[m.value for m in metrics(similarities())] for _ in range(800)], axis=0)
    held = [
        [i.low <= t <= i.high for i, t in zip(intervals(), truth, strict=True)] for _ in range(400)
    ]
    assert (np.mean(held, axis=0) >= 0.925).all()  # of 400 draws, a true 95 % shows 93 to 97


def test_the_variance_is_the_textbooks_cluster_robust_one():
    rng = np.random.default_rng(1)
    hits, groups = rng.random(40) < 0.7, np.repeat(np.arange(8), 5)
    _, influence = share_of(hits, np.ones(40, bool))
    means = hits.reshape(8, 5).mean(1)
    assert by_groups(influence[None], groups)[0, 0] == pytest.approx(means.var(ddof=1) / 8)
