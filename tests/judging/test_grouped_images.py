"""Which images count as one case, and what is not judged by an image of its own group."""

import numpy as np
from judge_views import clouds, held_out

from judging.classifier import classify_by_each_other
from judging.embedded_images import EmbeddedImages
from judging.judge import judge
from judging.metrics.episodes import Episodes
from judging.settings import JudgeSettings


def embedded(groups, keys):
    count = len(groups)
    none = np.zeros(count, bool)
    ids = np.array([f"{i:04d}" for i in range(count)])
    return EmbeddedImages(
        ids, ids, ids, np.array(groups), np.array(keys), none, ~none, {}
    )  # fmt: skip


def test_groups_are_joined_by_identical_files():
    found = embedded(["p", "p", "q", "", "", "r"], [1, 2, 2, 3, 3, 4]).numbered_groups()
    assert found[0] == found[1] == found[2]
    assert found[3] == found[4]
    assert len(set(found.tolist())) == 3


def test_copies_leave_the_judgements_intervals_as_they_are():
    images, view = held_out(classes=3, each=8, spread=0.5)
    four = np.repeat(np.arange(len(images.ids)), 4)
    copied = images._replace(
        ids=np.array([f"{i:04d}" for i in range(len(four))]),
        labels=images.labels[four], sources=images.sources[four], groups=four,
    )  # fmt: skip
    counted_each = copied._replace(groups=np.arange(len(four)))
    alone, beside, narrow = (
        judge(some, view._replace(embeddings=rows), {}, None, None, JudgeSettings()).judgement
        for some, rows in (
            (images, view.embeddings),
            (copied, view.embeddings[four]),
            (counted_each, view.embeddings[four]),
        )
    )
    assert (beside.images, beside.groups, alone.groups) == (96, 24, 24)
    one, other = alone.metrics["class_accuracy"], beside.metrics["class_accuracy"]
    np.testing.assert_allclose((other.low, other.high), (one.low, one.high), rtol=1e-6)
    assert beside.limits == ("the 96 test images are of 24 groups of images",)
    one, other = narrow.metrics["auc"], beside.metrics["auc"]
    assert other.high - other.low > 1.4 * (one.high - one.low)
    one, other = narrow.metrics["open_set_auc"], beside.metrics["open_set_auc"]
    assert other.low < one.low < one.high < other.high  # a prediction for a new class


def test_an_image_is_not_classified_by_its_own_group():
    points, labels = clouds(2, 6, 0.3, 0)
    groups = np.repeat(np.arange(6), 2)
    answers = classify_by_each_other(points, labels, groups)
    assert (groups[answers.neighbours[:, 0]] != groups).all()
    alone = classify_by_each_other(points, labels, np.repeat([0, 1], 6))
    assert np.isnan(alone.own_score).all()


def test_a_query_without_a_group_mate_in_the_support_set_counts():
    drawn = Episodes(np.array([[[0], [4]]]), np.array([[[1, 2], [5, -1]]]))
    found = drawn.without_group_mates(np.array([0, 0, 1, 1, 2, 3]))
    assert found.query.tolist() == [[[-1, 2], [5, -1]]]
