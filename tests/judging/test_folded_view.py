"""Images in folds are judged by the models of their folds, whose decisions are counted together."""

import numpy as np
import pytest
from judge_views import clouds, held_out, similarity

from judging.classifier import Support, best_scores, classify
from judging.folded_view import FoldedView, view_in_folds
from judging.gate import LAST_BLESSED
from judging.judge import judge
from judging.settings import JudgeSettings, Thresholds
from judging.views import PairSettings, View
from records.out_of_fold import FoldModel, OutOfFold

FOLDS = np.arange(40) % 4


def model_of(fold, points, labels, shift=0.0, turn=False):
    """The view of one fold: its images, and a support set of all others."""
    own = fold == FOLDS
    # Each fold's model has a space of its own, which cannot be compared with the others'.
    turned = points @ (np.roll(np.eye(12), fold, axis=1) if turn else np.eye(12))
    support = Support(turned[~own], labels[~own], np.array([f"{i}" for i in np.flatnonzero(~own)]))
    return View("m", turned[own], np.empty((0, 12)), support, similarity, 0.3, 0.5 + shift)


def in_folds(spread=0.3, turn=False, shifts=(0, 0, 0, 0), unknown=0, unknown_scores=None):
    points, labels = clouds(4, 10, spread, seed=0)
    images, _ = held_out()
    parts = tuple(model_of(fold, points, labels, shift, turn) for fold, shift in enumerate(shifts))
    every = Support(points, labels, np.arange(40).astype(str))
    strangers = clouds(1, unknown, 0.3, seed=5, first=10)[0] if unknown else np.empty((0, 12))
    final = View("m", np.empty((0, 12)), strangers, every, similarity, 0.3, 0.5)
    places = tuple(np.flatnonzero(fold != FOLDS) for fold in range(4))
    view = FoldedView(FOLDS, parts, places, every, final, unknown_scores)
    return images._replace(folds=FOLDS), view, points, labels


def test_each_image_is_classified_by_the_other_folds():
    _, view, points, labels = in_folds()
    found = view.classify(labels)
    for fold in range(4):
        own = fold == FOLDS
        alone = classify(view.parts[fold].support, points[own], labels[own])
        np.testing.assert_array_equal(found.label[own], alone.label)
        np.testing.assert_allclose(found.score[own], alone.score)
    assert (FOLDS[found.neighbours] != FOLDS[:, None]).all()
    assert (FOLDS[found.rival] != FOLDS).all()
    assert (labels[found.rival] == found.label).all()


def test_spaces_of_different_folds_are_never_compared():
    images, view, _, labels = in_folds()
    turned = in_folds(turn=True)[1]
    np.testing.assert_allclose(
        turned.classify(labels).score, view.classify(labels).score, atol=1e-6
    )
    left, right = np.array([0, 4, 1]), np.array([4, 8, 5])
    np.testing.assert_allclose(
        turned.similarities(left, right), view.similarities(left, right), atol=1e-6
    )
    one, other = (judged(images, v) for v in (view, turned))
    assert one.metrics["class_accuracy"] == other.metrics["class_accuracy"]
    assert one.metrics["auc"].value == pytest.approx(other.metrics["auc"].value)


def judged(images, view):
    return judge(images, view, {}, None, Thresholds(), JudgeSettings(), PairSettings()).judgement


def test_a_folds_own_threshold_decides():
    _, view, _, labels = in_folds(shifts=(0, 0.2, -0.1, 0))
    plain = in_folds()[1].classify(labels)
    shifted = view.classify(labels)
    np.testing.assert_allclose(shifted.score[FOLDS == 1], plain.score[FOLDS == 1] - 0.2)
    known = shifted.score >= view.known
    for fold, own in enumerate((0.5, 0.7, 0.4, 0.5)):
        np.testing.assert_array_equal(known[fold == FOLDS], plain.score[fold == FOLDS] >= own)


def test_pairs_are_of_one_fold_each():
    images, view, *_ = in_folds()
    outcomes = judge(images, view, {}, None, None, JudgeSettings(), PairSettings())
    fold_of = dict(zip(images.ids.tolist(), FOLDS.tolist(), strict=True))
    pairs = list(outcomes.pairs)
    assert pairs
    assert all(fold_of[pair.left] == fold_of[pair.right] for pair in pairs)


def test_the_judgement_says_that_it_is_out_of_fold():
    images, view, *_ = in_folds()
    judgement = judged(images, view)
    assert judgement.folds == 4
    assert judgement.images == 40
    assert "model of its own" in judgement.missing["episode_accuracy"]
    assert judgement.classes[0].support == 10


def test_unknown_images_meet_the_final_model():
    images, view, _, labels = in_folds(unknown=6)
    found = view.open_set_scores(labels, images.groups)
    assert len(found.known) == 40
    assert found.unknown_image.tolist() == list(range(40, 46))
    assert np.median(found.unknown) < np.median(found.known)


def test_scores_of_a_class_that_was_not_learned_count_as_unknown():
    scores = np.linspace(-0.5, 0.5, 40)
    scores[3] = np.nan
    images, view, _, labels = in_folds(shifts=(0.1, 0, 0, 0), unknown_scores=scores)
    found = view.open_set_scores(labels, images.groups)
    assert set(range(40)) - set(found.unknown_image.tolist()) == {3}
    order = np.argsort(found.unknown_image)
    expected = np.delete(scores - 0.1 * (FOLDS == 0), 3)
    np.testing.assert_allclose(found.unknown[order], expected)


def test_without_them_each_class_is_left_out_of_the_support_set():
    images, view, _, labels = in_folds()
    found = view.open_set_scores(labels, images.groups)
    assert len(found.known) == len(found.unknown) == 40
    assert np.median(found.unknown) < np.median(found.known)


def test_a_class_that_the_other_folds_lack_is_not_counted():
    _, view, points, labels = in_folds()
    alone = np.where(FOLDS == 0, labels, np.where(labels == "c0", "c1", labels))
    parts = tuple(model_of(fold, points, alone) for fold in range(4))
    found = view._replace(parts=parts).classify(alone)
    lost = (FOLDS == 0) & (labels == "c0")
    assert np.isnan(found.own_score[lost]).all()
    assert np.isfinite(found.own_score[~lost]).all()


def test_some_images_of_a_view():
    _, view, _, labels = in_folds()
    some = np.arange(40) % 3 > 0
    part = view.only(some)
    np.testing.assert_allclose(part.embeddings, view.embeddings[some])
    np.testing.assert_array_equal(
        part.classify(labels[some]).label, view.classify(labels).label[some]
    )


def test_a_model_that_knows_one_class_is_never_right():
    _, view, _, labels = in_folds()
    support = view.parts[2].support
    one = support.only(support.labels == "c0")
    parts = [*view.parts]
    parts[2] = parts[2]._replace(support=one)
    places = [*view.places]
    places[2] = places[2][support.labels == "c0"]
    found = view._replace(parts=tuple(parts), places=tuple(places)).classify(labels)
    assert np.isnan(found.own_score[FOLDS == 2]).all()
    assert np.isfinite(found.own_score[FOLDS != 2]).all()


@pytest.mark.parametrize("of_final", ["cosine", "margin"])
def test_each_fold_scores_as_its_model_does_and_new_images_as_the_final_one(of_final):
    rng, folds = np.random.default_rng(0), np.arange(12) % 3
    labels, names = np.repeat(list("abcd"), 3), np.arange(12).astype(str)
    points = (np.repeat(np.eye(5)[:4], 3, axis=0) + 0.3 * rng.normal(size=(12, 5))).astype(
        "float32"
    )
    models = tuple(
        FoldModel(np.flatnonzero(folds != f), points[folds != f], 0.5, known, 4.0, 0.0, by)
        for f, (known, by) in enumerate([(0.2, "cosine"), (0.4, "margin"), (-1.0, "cosine")])
    )
    unknown_scores = rng.random(12)
    found = OutOfFold(names.astype("S"), labels, names.astype("S"), np.arange(12), folds, points,
                      unknown_scores, models, 0.5, 0.3)  # fmt: skip
    support, new = Support(points, labels, names, of_final), rng.normal(size=(4, 5))
    final = View("m", points[:0], new, support, None, 0.5, 0.3)
    view = view_in_folds(found, np.arange(12), final)
    # A model without a threshold takes the final one, and so must score as it does.
    by = ("cosine", "margin", of_final)
    answers = view.classify(labels)
    for f, (part, shift) in enumerate(zip(view.parts, (0.1, -0.1, 0.0), strict=True)):
        own = folds == f
        assert part.support.scored_by == by[f]
        alone = best_scores(points[~own], labels[~own], points[own]).by(by[f])
        np.testing.assert_allclose(answers.score[own], alone + shift)
    of_new = best_scores(points, labels, new).by(of_final)
    np.testing.assert_allclose(view.open_set_scores(labels, np.arange(12)).unknown, of_new)
    without = view._replace(final=final._replace(unknown=new[:0]))
    scores = without.open_set_scores(labels, np.arange(12))
    np.testing.assert_allclose(np.sort(scores.known), np.sort(answers.score))
    shifted = unknown_scores + np.array([0.1, -0.1, 0.0])[folds]
    np.testing.assert_allclose(scores.unknown[np.argsort(scores.unknown_image)], shifted)


def test_a_model_without_a_threshold_of_its_own_takes_the_final_one():
    """A shift from -1 would lift all its scores above those of unknown images."""
    _, view, _, labels = in_folds(shifts=(-1.5, 0, 0, 0))  # known: -1
    plain = in_folds()[1].classify(labels)
    np.testing.assert_array_equal(view.classify(labels).score, plain.score)


def in_other_folds(view):
    """The same images, judged in folds of other images."""
    folds = (FOLDS + (np.arange(40) < 2)) % 4
    points = view.embeddings
    parts = tuple(part._replace(embeddings=points[folds == i]) for i, part in enumerate(view.parts))
    return view._replace(folds=folds, parts=parts)


def test_the_last_blessed_model_is_compared_on_all_images():
    images, view, *_ = in_folds()
    found = judge(images, view, {LAST_BLESSED: in_folds(spread=0.5)[1]}, None, Thresholds(),
                  JudgeSettings()).judgement  # fmt: skip
    before = found.compared[LAST_BLESSED]
    assert before.on(found.images) == 40
    assert {"class_accuracy", "auc"} <= before.differences.keys()
    [check] = [c for c in found.verdict.checks if c.metric.startswith("auc against")]
    assert check.outcome == "passed"


def test_pairs_of_other_folds_are_not_compared_and_the_gate_says_so():
    images, view, *_ = in_folds()
    before = in_other_folds(in_folds(spread=0.5)[1])
    found = judge(images, view, {LAST_BLESSED: before}, None, Thresholds(), JudgeSettings())
    differences = found.judgement.compared[LAST_BLESSED].differences
    assert "class_accuracy" in differences
    assert "auc" not in differences
    [check] = [c for c in found.judgement.verdict.checks if c.metric.startswith("auc against")]
    assert check.outcome == "skipped"
    assert "other folds" in check.note
