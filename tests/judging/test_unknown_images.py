"""Open-set metrics of a judgement: of a folder of unknown images, or by leaving each class out."""

import numpy as np
import pytest
from judge_views import clouds, held_out, judged
from sklearn.metrics import roc_auc_score


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


def _best(support, labels, row):
    classes = np.unique(labels)
    centre = np.mean([support[labels == c].mean(0) for c in classes], axis=0)
    rows = (support - centre) / np.linalg.norm(support - centre, axis=1, keepdims=True)
    query = (row - centre) / np.linalg.norm(row - centre)
    return max(1 - np.sum((query - rows[labels == c].mean(0)) ** 2) / 2 for c in classes)


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
