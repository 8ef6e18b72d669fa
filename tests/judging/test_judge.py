from collections import Counter

import numpy as np
import pytest
from judge_views import clouds, held_out, support_set
from sklearn.metrics import confusion_matrix, roc_auc_score

from judging.classifier import Support, nearest_centroid
from judging.gate import LAST_BLESSED, PRETRAINED_ENCODER, RAW_PIXELS
from judging.judge import judge
from judging.settings import METRICS, JudgeSettings, Thresholds
from judging.statistics.intervals import clopper_pearson
from judging.views import PairSettings
from records.pair_sampling import held_out_pairs

SETTINGS = JudgeSettings()
LENIENT = {"auc": 0.5, "class_accuracy": None, "worst_class_recall": None}


def judged(images, candidate, compared=None, raw=None, asked=None, settings=SETTINGS, **more):
    return judge(images, candidate, compared or {}, raw, asked or Thresholds(), settings, **more)


@pytest.fixture(scope="module")
def images_and_view():
    return held_out(classes=4, each=15, spread=0.45)


@pytest.fixture(scope="module")
def found(images_and_view):
    images, view = images_and_view
    other = held_out(classes=4, each=15, spread=0.45, seed=0)[1]
    rng = np.random.default_rng(1)
    noisy = other._replace(
        embeddings=other.embeddings + rng.normal(scale=0.3, size=other.embeddings.shape),
        same=0.15,
    )
    pretrained = noisy._replace(similarity=None, known=float("nan"), same=float("nan"))
    raw = np.roll(images.labels, 7)
    return judged(images, view, {LAST_BLESSED: noisy, PRETRAINED_ENCODER: pretrained}, raw)


def guess(view):
    return nearest_centroid(view.support.embeddings, view.support.labels, view.embeddings)


def test_classes_against_scikit_learn(found, images_and_view):
    images, view = images_and_view
    predicted, judgement = guess(view), found.judgement
    right = predicted == images.labels
    accuracy = judgement.metrics["class_accuracy"]
    assert 0.6 < accuracy.value < 1
    assert accuracy.value == np.mean(right)
    assert (accuracy.low, accuracy.high) == clopper_pearson(np.mean(right), 60)
    names = sorted(set(images.labels))
    matrix = np.zeros((4, 4), int)
    for cell in judgement.confusion:
        matrix[names.index(cell.truth), names.index(cell.predicted)] = cell.images
    np.testing.assert_array_equal(matrix, confusion_matrix(images.labels, predicted))
    recalls = {one.label: one.recall.value for one in judgement.classes}
    assert recalls == pytest.approx({c: np.mean(right[images.labels == c]) for c in names})
    worst = judgement.metrics["worst_class_recall"]
    assert worst.value == min(recalls.values())
    assert worst.low == min(one.recall.low for one in judgement.classes)
    assert worst.high > min(one.recall.high for one in judgement.classes)
    assert {one.images for one in judgement.classes} == {15}
    assert {one.support for one in judgement.classes} == {8}
    for one in judgement.classes:
        assert one.precision.value == np.mean(images.labels[predicted == one.label] == one.label)
    assert judgement.chance == pytest.approx(0.25, abs=0.02)


def test_pairs_are_those_of_pairgen(found, images_and_view):
    images, view = images_and_view
    lines = list(judged(images, view, pairing=PairSettings(6, 40, 3)).pairs)
    blocks = held_out_pairs([x.encode() for x in images.labels], 6, 40, 3)
    expected = [tuple(images.ids[list(block.images)]) for block in blocks]
    assert [(line.left, line.right) for line in lines] == expected


def test_pairs_against_scikit_learn(found, images_and_view):
    _, view = images_and_view
    lines = list(judged(*images_and_view).pairs)
    same = np.array([line.same for line in lines])
    scores = np.array([line.similarity for line in lines])
    metrics, judgement = found.judgement.metrics, found.judgement
    assert metrics["auc"].value == pytest.approx(roc_auc_score(same, scores))
    yes = scores >= view.same
    assert metrics["accuracy"].value == pytest.approx(np.mean(yes == same))
    assert metrics["precision"].value == pytest.approx(np.mean(same[yes]))
    assert metrics["recall"].value == pytest.approx(np.mean(yes[same]))
    threshold = judgement.thresholds["same"]
    assert threshold.value == view.same
    assert threshold.false_accepts.value == pytest.approx(np.mean(yes[~same]))
    assert threshold.false_rejects.value == pytest.approx(1 - np.mean(yes[same]))
    assert judgement.pairs == {"same": same.sum(), "different": (~same).sum()}
    curve = judgement.curves["same"]
    assert sum(curve.positives) == same.sum()
    assert len(curve.edges) == len(curve.negatives) + 1
    labels = dict(zip(*(column.tolist() for column in images_and_view[0][:2]), strict=True))
    of_c0 = np.array(["c0" in (labels[p.left], labels[p.right]) for p in lines])
    [one] = [c for c in judgement.classes if c.label == "c0"]
    assert one.pair_auc.value == pytest.approx(roc_auc_score(same[of_c0], scores[of_c0]))
    assert one.pair_accuracy.value == pytest.approx(np.mean((yes == same)[of_c0]))


def test_each_metric_has_an_interval_around_it(found):
    assert set(found.judgement.metrics) == set(METRICS)
    assert not found.judgement.missing
    for name, measure in found.judgement.metrics.items():
        assert 0 <= measure.low < measure.value <= measure.high <= 1
        assert measure.images in (60, 15) or name == "precision"  # only of pairs that it calls same


def test_unknown_classes_are_told_by_leaving_each_out(found, images_and_view):
    images, view = images_and_view
    unknown = []
    for c in np.unique(images.labels):
        kept = view.support.labels != c
        support, labels = view.support.embeddings[kept], view.support.labels[kept]
        for row in view.embeddings[images.labels == c]:
            unknown.append(_best(support, labels, row))
    known = [_best(view.support.embeddings, view.support.labels, row) for row in view.embeddings]
    auc = roc_auc_score([1] * len(known) + [0] * len(unknown), known + unknown)
    assert found.judgement.metrics["open_set_auc"].value == pytest.approx(auc)
    taken, missed = np.mean(np.array(unknown) >= 0.5), np.mean(np.array(known) < 0.5)
    threshold = found.judgement.thresholds["known"]
    assert threshold.false_accepts.value == pytest.approx(taken)
    assert threshold.false_rejects.value == pytest.approx(missed)
    assert threshold.accuracy.value == pytest.approx(1 - (taken + missed) / 2)


def test_where_classes_are_left_out_the_interval_is_that_of_a_new_class(found, images_and_view):
    k = len(np.unique(images_and_view[0].labels))
    threshold = found.judgement.thresholds["known"]
    new = (
        found.judgement.metrics["open_set_auc"],
        found.judgement.metrics["open_set_accuracy"],
        threshold.false_accepts,
        threshold.accuracy,
    )
    assert [measure.classes for measure in new] == [k] * 4
    assert threshold.false_rejects.classes is None
    assert found.judgement.metrics["class_accuracy"].classes is None
    told = found.judgement.on_new_classes
    assert f"one new class, from {k} classes of which each was left out in turn" in told
    assert "the model was trained on them" in told
    assert told in found.judgement.notes


def test_with_a_folder_of_unknown_images_intervals_go_by_images():
    images, view = held_out(unknown=12)
    found = judged(images, view).judgement
    assert found.thresholds["known"].false_accepts.classes is None
    assert found.on_new_classes == ""


def _best(support, labels, row):
    classes = np.unique(labels)
    centre = np.mean([support[labels == c].mean(0) for c in classes], axis=0)
    rows = (support - centre) / np.linalg.norm(support - centre, axis=1, keepdims=True)
    query = (row - centre) / np.linalg.norm(row - centre)
    return max(1 - np.sum((query - rows[labels == c].mean(0)) ** 2) / 2 for c in classes)


def test_unknown_images_of_a_folder():
    images, view = held_out(unknown=12)
    found = judged(images, view).judgement
    assert found.unknown_by == "folder"
    assert found.metrics["open_set_auc"].images == 52
    assert sum(found.curves["known"].negatives) == 12
    assert found.metrics["open_set_auc"].value > 0.9
    # Unknown images that look like a class are not distinguished from it.
    alike = view._replace(unknown=clouds(1, 12, 0.3, 5)[0])
    assert judged(images, alike).judgement.metrics["open_set_auc"].value < 0.8


def test_differences_are_of_the_same_images(found):
    compared = found.judgement.compared
    assert set(compared) == {LAST_BLESSED, PRETRAINED_ENCODER, RAW_PIXELS}
    before = compared[LAST_BLESSED]
    assert set(before.differences) == set(METRICS)
    for name, difference in before.differences.items():
        own, theirs = found.judgement.metrics[name], before.metrics[name]
        assert difference.value == pytest.approx(own.value - theirs.value)
        assert difference.low <= difference.value <= difference.high
        # Narrower than of two models that err on unrelated images.
        if name in ("class_accuracy", "auc", "open_set_auc", "episode_accuracy"):
            apart = np.hypot(own.value - own.low, theirs.high - theirs.value)
            assert difference.value - difference.low < apart
    assert set(compared[PRETRAINED_ENCODER].differences) == {
        "class_accuracy", "worst_class_recall", "open_set_auc", "episode_accuracy",
    }  # fmt: skip
    assert set(compared[RAW_PIXELS].differences) == {"class_accuracy", "worst_class_recall"}


def test_a_model_against_itself_does_not_differ(images_and_view):
    images, view = images_and_view
    before = judged(images, view, {LAST_BLESSED: view}).judgement.compared[LAST_BLESSED]
    for name, difference in before.differences.items():
        assert difference.value == 0
        widest = 0.5 if name in ("worst_class_recall", "precision") else 0.13
        assert -widest < difference.low <= 0 <= difference.high < widest


@pytest.fixture(scope="module")
def by_heart():
    """Images, a fair model, and one that knows a part of them by heart and nothing of the others.

    The unknown are seen by the latter in part, too.
    """
    images, view = held_out(classes=4, each=15, spread=0.6, unknown=10, same=0.1)
    trained_on = np.arange(60) % 15 < 12
    directions = np.eye(12)[np.repeat(np.arange(4), 15)]
    rng = np.random.default_rng(0)
    embeddings = np.where(trained_on[:, None], directions, rng.permutation(directions))
    unknown = rng.normal(0, 1, (10, 12))
    before = view._replace(
        embeddings=embeddings,
        unknown=unknown,
        trained_on=trained_on,
        trained_on_unknown=np.arange(10) < 4,
    )
    return images, view, before


def test_the_last_blessed_model_is_compared_on_images_that_it_has_not_seen(by_heart):
    images, view, before = by_heart
    found = judged(images, view, {LAST_BLESSED: before, PRETRAINED_ENCODER: before}).judgement
    compared = found.compared[LAST_BLESSED]
    assert (compared.left_out, compared.unknown_left_out) == (48, 4)
    # As if there were no others.
    some, unknown = ~before.trained_on, np.arange(10) >= 4
    alone = judged(
        images.only(some), view.only(some, unknown), {LAST_BLESSED: before.only(some, unknown)}
    ).judgement
    assert compared.metrics == alone.compared[LAST_BLESSED].metrics
    assert compared.differences == alone.compared[LAST_BLESSED].differences
    assert compared.own == alone.metrics
    assert compared.differences["auc"].images == 12
    assert compared.differences["open_set_auc"].images == 18
    assert set(compared.differences) == set(METRICS)
    # The model's own figures and the other comparisons go by all.
    unsaid = before._replace(trained_on=None, trained_on_unknown=None)
    whole = judged(images, view, {LAST_BLESSED: unsaid, PRETRAINED_ENCODER: before}).judgement
    assert found.metrics == whole.metrics
    assert found.images == 60
    assert found.compared[PRETRAINED_ENCODER] == whole.compared[PRETRAINED_ENCODER]
    assert found.limits == (
        "compared on 12 of 60 test images and without 4 unknown images: the last blessed model "
        "was trained on the others",
    )


@pytest.mark.parametrize("name", [LAST_BLESSED, PRETRAINED_ENCODER])
def test_an_image_that_another_model_does_not_accept_is_judged_and_not_compared(by_heart, name):
    images, view, before = by_heart
    picky = before._replace(embeddings=before.embeddings.copy(), unknown=before.unknown.copy())
    picky.embeddings[[0, 1, 12, 13]], picky.unknown[0] = np.nan, np.nan  # two were seen
    found = judged(images, view, {name: picky}).judgement
    alone = judged(images, view).judgement
    assert found.metrics == alone.metrics
    assert (found.images, found.invalid) == (60, {})
    compared, trained_on = found.compared[name], 48
    assert (compared.left_out, compared.not_accepted) == (trained_on, 2)
    assert compared.differences["class_accuracy"].images == 60 - trained_on - 2
    assert found.limits == (
        f"compared on 10 of 60 test images and without 4 unknown images: the {name} was trained "
        "on 48 others and does not accept 2 others",
    )
    unseen = picky._replace(trained_on=None)
    [limit] = judged(images, view, {name: unseen}).judgement.limits
    assert limit == (
        f"compared on 56 of 60 test images and without 4 unknown images: the {name} does not "
        "accept the others"
    )


def test_what_is_known_by_heart_does_not_decide(by_heart):
    images, view, before = by_heart
    asked = Thresholds(**LENIENT, change={"auc": None, "class_accuracy": -0.1})
    fair = judged(images, view, {LAST_BLESSED: before}, asked=asked).judgement
    assert fair.verdict.outcome == "blessed"
    assert fair.compared[LAST_BLESSED].differences["class_accuracy"].value > 0.3
    # A model of before that does not say what it has seen: it is compared on all of them.
    unsaid = {"trained_on": None, "trained_on_unknown": None}
    whole = judged(images, view, {LAST_BLESSED: before._replace(**unsaid)}, asked=asked).judgement
    assert whole.compared[LAST_BLESSED].left_out == 0
    assert whole.limits == ()
    assert whole.verdict.outcome == "not_blessed"


@pytest.mark.parametrize("left", [0, 1, 2])
def test_too_few_unseen_images_leave_the_comparison_open(by_heart, left):
    images, view, before = by_heart
    before = before._replace(trained_on=np.arange(60) >= left)  # what is left is of one class
    wanted = {"class_accuracy": 0.0} if left == 0 else {}
    asked = Thresholds(**LENIENT, change={"auc": -0.5, **wanted})
    found = judged(images, view, {LAST_BLESSED: before}, asked=asked).judgement
    assert found.verdict.outcome == "undecided"
    checks = [c for c in found.verdict.checks if "last blessed" in c.metric]
    assert [c.outcome for c in checks] == ["undecided"] * (1 + len(wanted))
    told = f"compared on {left} of 60 test images and without 4 unknown images: the last"
    assert all(told in c.note for c in checks)
    assert told in found.verdict.reasons[0]


@pytest.mark.parametrize("left", [0, 1, 2])
def test_nor_do_they_where_classes_were_held_out(by_heart, left):
    images, view, before = by_heart
    others = view.support._replace(labels=np.char.add("other ", view.support.labels))
    before = before._replace(trained_on=np.arange(60) >= left, support=others)
    asked = Thresholds(**LENIENT, change={"auc": -0.5}, better_than_chance=False)
    found = judged(
        images, view._replace(support=others), {LAST_BLESSED: before}, asked=asked
    ).judgement
    assert found.classified_by == "other test images"
    assert found.verdict.outcome == "undecided"
    assert f"compared on {left} of 60 test images" in found.verdict.reasons[0]


def test_without_an_unseen_unknown_image_open_set_metrics_are_missing(by_heart):
    images, view, before = by_heart
    before = before._replace(trained_on=None, trained_on_unknown=np.ones(10, bool))
    found = judged(images, view, {LAST_BLESSED: before}).judgement
    compared = found.compared[LAST_BLESSED]
    assert set(METRICS) - set(compared.differences) == {"open_set_auc", "open_set_accuracy"}
    assert found.metrics["open_set_auc"].images == 70
    assert found.limits == (
        "compared without 10 unknown images: the last blessed model was trained on these or does "
        "not accept them",
    )


def test_mistakes_suspects_and_hard_pairs(images_and_view):
    images, view = images_and_view
    labels = images.labels.copy()
    labels[3] = "c2"  # it is a c0, in the middle of its class
    embeddings = view.embeddings.copy()
    embeddings[3] = np.eye(12)[0]
    found = judged(images._replace(labels=labels), view._replace(embeddings=embeddings)).judgement
    [first, *_] = found.mistakes
    assert (first.image.id, first.image.label, first.predicted) == ("0003", "c2", "c0")
    assert first.image.source == images.sources[3]
    assert first.nearest.label == "c0"
    assert first.nearest.source.startswith("c0/s")
    sureness = [m.score - m.own_score for m in found.mistakes]
    assert sureness == sorted(sureness, reverse=True)
    assert "0003" in [s.image.id for s in found.suspects]
    for suspect in found.suspects:
        given = [n.label for n in suspect.neighbours]
        assert given.count(suspect.suggested) == suspect.agreeing >= 4
        assert suspect.image.label not in given
    gaps = [view.same - p.similarity if p.same else p.similarity - view.same
            for p in found.hard_pairs]  # fmt: skip
    assert gaps == sorted(gaps, reverse=True)
    assert len(gaps) == SETTINGS.listed
    # The odd image is in far more pairs than that.
    listed = Counter(side.id for p in found.hard_pairs for side in (p.left, p.right))
    assert max(listed.values()) == 2


def test_classes_that_were_held_out_are_judged_by_each_other():
    images, view = held_out(classes=4, each=10, first=6)
    assert not set(images.labels) & set(view.support.labels)
    found = judged(images, view).judgement
    assert found.classified_by == "other test images"
    assert found.metrics["class_accuracy"].value > 0.8
    assert {one.support for one in found.classes} == {0}
    assert not found.invalid
    assert found.metrics["open_set_auc"].value > 0.8
    assert all(m.nearest.id for m in found.mistakes)


@pytest.mark.parametrize(
    ("enrolled", "classified_by"),
    [(["c6"], "other test images"), (["c6", "c7", "c8", "c9"], "support set")],
)
def test_a_class_that_was_held_out_and_enrolled_leaves_out_no_other(enrolled, classified_by):
    images, view = held_out(classes=4, each=10, first=6)
    points, labels = clouds(4, 3, 0.3, seed=5, first=6)
    of = np.isin(labels, enrolled)
    added = (points[of], labels[of], labels[of])
    support = Support(*(np.concatenate(both) for both in zip(view.support, added, strict=True)))
    view = view._replace(support=support, enrolled=frozenset(enrolled))
    found = judged(images, view).judgement
    assert (found.images, found.invalid) == (40, {})
    assert found.classified_by == classified_by
    assert found.metrics["class_accuracy"].value > 0.8


def test_a_class_that_only_some_know_is_set_apart():
    images, view = held_out(classes=4, each=10)
    lacking = support_set(3)
    found = judged(images, view._replace(support=lacking)).judgement
    assert found.images == 30
    assert len(found.invalid) == 10
    # A model of before that lacks a class is wrong about it.
    before = judged(images, view, {LAST_BLESSED: view._replace(support=lacking)}).judgement
    theirs = before.compared[LAST_BLESSED].metrics
    assert theirs["class_accuracy"].value <= 0.75
    assert theirs["worst_class_recall"].value == 0


@pytest.mark.parametrize(("classes", "each"), [(2, 1), (2, 2), (1, 5), (3, 1), (12, 2)])
def test_few_images_leave_something_out_and_say_why(classes, each):
    found = judged(*held_out(classes=classes, each=each)).judgement
    assert set(found.metrics) | set(found.missing) == set(METRICS)
    assert not set(found.metrics) & set(found.missing)
    assert found.verdict.outcome in ("undecided", "not_blessed", "blessed")
    if classes < 3:
        assert "fewer than three classes" in found.missing["open_set_auc"]


def test_a_collapsed_encoder_is_not_blessed():
    images, view = held_out()
    constant = view._replace(
        embeddings=np.ones_like(view.embeddings),
        support=view.support._replace(embeddings=np.ones_like(view.support.embeddings)),
    )
    found = judged(images, constant, asked=Thresholds(auc=0.4)).judgement
    assert found.metrics["auc"].value == 0.5
    assert found.verdict.outcome == "not_blessed"
