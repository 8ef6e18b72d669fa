import numpy as np
import pytest
from judge_views import clouds, held_out, judged, support_set
from sklearn.metrics import confusion_matrix, roc_auc_score

from judging.classifier import Support, nearest_centroid
from judging.gate import LAST_BLESSED
from judging.settings import METRICS, Thresholds
from judging.statistics.intervals import clopper_pearson
from judging.views import PairSettings
from records.pair_sampling import held_out_pairs


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
    support = Support(*(np.concatenate(both) for both in zip(view.support[:3], added, strict=True)))
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
