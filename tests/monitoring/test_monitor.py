from datetime import datetime, timezone

import numpy as np
import pytest
from traffic_samples import CLASSES, answers, reference

from monitoring.drift import least_unlike
from monitoring.findings import MonitorFindings, Period
from monitoring.monitor import Recorded, examine
from monitoring.settings import MonitorSettings
from traffic.rows import Decision, Kept, Review, StoredImage

NOW = datetime(2026, 1, 8, tzinfo=timezone.utc)


def examined(recorded, judged=None, settings=None, images=None, reviews=(), judged_version=3):
    period = Period(
        model="parts", version=3, since=NOW, until=NOW, answers=len(recorded),
        judged_version=judged_version,
    )  # fmt: skip
    return examine(
        Recorded(recorded, images or {}, list(reviews)),
        judged or reference(),
        period,
        settings or MonitorSettings(),
    )


def test_weeks_without_drift_raise_few_alarms():
    alarms = [
        examined(answers(100, seed=1000 + seed), reference(60, seed=seed)).outcome == "drifted"
        for seed in range(40)
    ]
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 / 40)


def test_a_new_class_is_found_and_accuracy_is_then_not_estimated():
    found = examined(answers(far=12))
    assert found.outcome == "drifted"
    assert [one.name for one in found.tests if one.drifted] == ["unknown"]
    assert found.estimated_accuracy is None
    assert "drifted" in found.not_estimated


def test_another_camera_is_found():
    found = examined(answers(moved=3.0))
    assert found.outcome == "drifted"
    assert [one.name for one in found.tests if one.drifted] == ["embeddings"]


def test_a_tiny_difference_of_many_images_is_no_alarm():
    found = examined(answers(10_000, moved=0.1), reference(300))
    assert found.outcome == "fine"


def test_fine_traffic_has_an_estimated_accuracy():
    found = examined(answers())
    assert found.outcome == "fine"
    assert found.estimated_accuracy.low < 0.95 < found.estimated_accuracy.high
    assert found.unknown.images == 200
    assert sum(found.scores.traffic) == 200
    assert MonitorFindings.model_validate_json(found.model_dump_json()) == found


def test_levels_add_up_to_the_false_alarms():
    settings = MonitorSettings(false_alarms=0.1, class_mix=True)
    tests = examined(answers(), settings=settings).tests
    assert {one.name for one in tests} == {"unknown", "embeddings", "class mix"}
    assert sum(one.level for one in tests) == pytest.approx(0.1)


def test_a_class_mix_counts_only_if_asked():
    recorded = answers(labels=np.repeat(CLASSES, [180, 10, 10]))
    assert examined(recorded).outcome == "fine"
    assert examined(recorded, settings=MonitorSettings(class_mix=True)).outcome == "drifted"


def test_too_few_images():
    found = examined(answers(20))
    assert found.outcome == "too_few"
    assert "only 20 images were asked of version 3" in found.reasons[0]
    assert examined([]).outcome == "too_few"
    assert "no image was asked" in examined([]).reasons[0]
    assert "judged on 5 images" in examined(answers(), reference(5)).reasons[0]


def test_too_few_images_of_which_many_are_unknown_are_drifted():
    assert examined(answers(20, far=15)).outcome == "drifted"


def test_without_embeddings_scores_are_tested_alone():
    found = examined(answers(embedding=None))
    assert [one.name for one in found.tests] == ["unknown"]
    assert found.tests[0].level == pytest.approx(0.05)
    assert any("traffic.embeddings" in note for note in found.notes)


def test_classes_that_were_not_judged_are_left_out():
    enrolled = answers(30, seed=9, label="new", moved=9.0)
    found = examined([*answers(), *enrolled], judged_version=2)
    assert found.outcome == "fine"
    assert found.images == 200
    assert {one.label: one.reference for one in found.classes}["new"] is None
    assert any("30 images are classified as 'new'" in note for note in found.notes)


def test_another_threshold_than_the_judged_versions_is_no_drift():
    strict = [one._replace(known=one.score >= 0.8) for one in answers()]
    assert examined(strict, judged_version=2).outcome == "fine"


def test_reviews_are_counted_and_their_order_is_noted():
    recorded = answers()
    images = {one.digest: StoredImage(one.digest, 0.0, Kept.RANDOM, 1) for one in recorded[:5]}
    reviews = [Review(recorded[0].digest, 1e12, Decision.LABEL, recorded[0].label)]
    found = examined(recorded, images=images, reviews=reviews)
    assert found.reviewed.accuracy.images == 1
    assert any("1 of the 5 images" in note for note in found.notes)


def test_how_many_images_of_a_new_kind_can_be_told_from_chance():
    assert least_unlike(120, 200, 0.04) == 7
    assert least_unlike(20, 200, 0.04) == 34
