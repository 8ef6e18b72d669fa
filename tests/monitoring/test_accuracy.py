import numpy as np
import pytest
from traffic_samples import answers, reference

from monitoring.accuracy import estimated, reviewed
from monitoring.sample import sample
from traffic.rows import Decision, Kept, Review, StoredImage

LATER = 1e12


def test_intervals_contain_the_accuracy_of_traffic_of_the_same_kind():
    inside = []
    for seed in range(200):
        found = estimated(reference(60, 0.9, seed), sample(answers(100, 0.9, 1000 + seed)))
        inside.append(found.low <= 0.9 <= found.high)
    assert np.mean(inside) >= 0.93


def test_the_estimate_follows_the_margins():
    # Of twice as many small margins, twice as many are wrong.
    found = answers(1000, 1.0)
    small = [one._replace(margin=one.margin / 2) for one in found]
    assert estimated(reference(300, 0.9), sample(found)).value == pytest.approx(0.9, abs=0.05)
    assert estimated(reference(300, 0.9), sample(small)).value == pytest.approx(0.8, abs=0.08)


def test_a_perfect_reference_leaves_an_interval():
    found = estimated(reference(60, 1.0), sample(answers(100)))
    assert found.value == 1
    assert found.low < 0.93


def test_one_error_in_the_reference_leaves_a_period_without_any_possible():
    judged = reference(60, 1.0)
    predicted = judged.predicted.copy()
    least = int(np.argmin(judged.margins))
    predicted[least] = "cut" if judged.labels[least] != "cut" else "bent"
    found = estimated(judged._replace(predicted=predicted), sample(answers(60, 1.0, seed=3)))
    assert found.high == 1


def test_without_margins_or_known_images_nothing_is_estimated():
    assert estimated(reference(), sample(answers(50, margin=float("nan")))) is None
    assert estimated(reference(), sample(answers(50, known=False))) is None


def _kept(recorded, kept):
    return {one.digest: StoredImage(one.digest, 0.0, kept, 1) for one in recorded}


def test_only_images_kept_at_random_estimate_the_accuracy():
    drawn, chosen = answers(4, 1.0, seed=1), answers(3, 1.0, seed=2)
    images = _kept(drawn, Kept.RANDOM) | _kept(chosen, Kept.LOW_MARGIN)
    reviews = [
        Review(drawn[0].digest, LATER, Decision.LABEL, drawn[0].label),
        Review(drawn[1].digest, LATER, Decision.LABEL, "another"),
        Review(drawn[2].digest, LATER, Decision.SKIP),
        *(Review(one.digest, LATER, Decision.LABEL, one.label) for one in chosen[:2]),
        Review("f" * 64, LATER, Decision.NONE),
    ]
    found = reviewed([*drawn, *chosen], images, reviews)
    assert (found.accuracy.value, found.accuracy.images, found.random) == (0.5, 2, 4)
    assert (found.others, found.others_correct, found.skipped) == (2, 2, 1)


@pytest.mark.parametrize(("known", "correct"), [(True, 0), (False, 1)])
def test_an_image_of_no_class_is_correct_if_it_is_unknown(known, correct):
    recorded = answers(1, known=known)
    reviews = [Review(recorded[0].digest, LATER, Decision.NONE)]
    found = reviewed(recorded, _kept(recorded, Kept.UNKNOWN), reviews)
    assert found.others_correct == correct
    assert found.accuracy is None


def test_a_known_class_taken_for_unknown_is_incorrect():
    recorded = answers(1, 1.0, known=False)
    reviews = [Review(recorded[0].digest, LATER, Decision.LABEL, recorded[0].label)]
    assert reviewed(recorded, _kept(recorded, Kept.RANDOM), reviews).accuracy.value == 0


def test_answers_after_the_decision_do_not_count():
    """The model may have been trained on it."""
    recorded = answers(1, 1.0)
    reviews = [Review(recorded[0].digest, -1.0, Decision.LABEL, recorded[0].label)]
    assert reviewed(recorded, _kept(recorded, Kept.RANDOM), reviews).accuracy is None
