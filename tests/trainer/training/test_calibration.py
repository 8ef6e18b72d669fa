"""The thresholds of a network that is not trained: calibration asks its embeddings alone."""

from typing import NamedTuple

import numpy as np
import pytest
from pair_files import write_splits

from judging.probabilities import temperature
from judging.score_choice import NOTHING_TO_COMPARE, ScoreChoice
from judging.thresholds import (
    DEFAULT_KNOWN,
    known_and_unknown,
    known_from_scores,
    same_threshold,
)
from trainer.network.siamese import Siamese
from trainer.settings import Calibration, Model, Training
from trainer.training.calibration import calibrate
from trainer.training.embedder import embedder
from trainer.training.images import HeldOut, few_of_each_class, held_out, scan


class Embedded(NamedTuple):
    """A network, the support set and the validation split as it embeds them."""

    model: Siamese
    support: np.ndarray
    labels: np.ndarray
    validation: np.ndarray
    held: HeldOut

    def both(self):
        return self.support, self.labels, self.validation, self.held.images.labels

    def found(self):
        return known_and_unknown(*self.both(), self.held.images.numbered_groups())

    def similarities(self):
        z, held = self.validation, self.held
        return np.asarray(self.model.similarity(z[held.left], z[held.right]))


def embedded(folder, backbone):
    files = [str(folder / "train.tfrecord")]
    model = Siamese(Model(backbone=backbone, embedding_size=6), Training(), 16)
    embed = embedder(model)
    support = few_of_each_class(files, scan(files).members, 16, 100)
    held = held_out([str(folder / "validation.tfrecord")], 16)
    validation = embed(held.images.pixels)
    return Embedded(model, embed(support.pixels), support.labels, validation, held)


@pytest.fixture(scope="module")
def three(data, tiny_backbone):
    return embedded(data, tiny_backbone)


def test_thresholds_and_temperature_are_of_the_chosen_score(three):
    (same, known, by, scored_by), score = calibrate(*three, Calibration())
    assert same == pytest.approx(same_threshold(three.similarities(), three.held.target))
    assert 0 < same < 1
    found = three.found()
    scores = found.known.by(scored_by), found.unknown.by(scored_by)
    assert known == pytest.approx(known_from_scores(*scores))
    assert known > DEFAULT_KNOWN
    assert by == pytest.approx(temperature(*three.both(), scored_by))
    assert score.scored_by == scored_by


@pytest.mark.parametrize("scored_by", ["cosine", "margin"])
def test_the_chosen_score_is_the_calibrated_one(three, monkeypatch, scored_by):
    chosen = ScoreChoice(scored_by, {"cosine": 0.8, "margin": 0.9})
    monkeypatch.setattr("trainer.training.calibration.choose_score", lambda *_: chosen)
    thresholds, score = calibrate(*three, Calibration())
    assert score == chosen
    assert thresholds.scored_by == scored_by
    found = three.found()
    scores = found.known.by(scored_by), found.unknown.by(scored_by)
    assert thresholds.known == pytest.approx(known_from_scores(*scores))
    assert thresholds.temperature == pytest.approx(temperature(*three.both(), scored_by))


def test_no_more_is_accepted_falsely_than_set(three):
    settings = Calibration(same_false_accepts=0.0, known_false_accepts=0.0)
    thresholds, _ = calibrate(*three, settings)
    different = three.similarities()[three.held.target == 0]
    assert np.float32(thresholds.same) > different.max()
    assert thresholds.known > three.found().unknown.by(thresholds.scored_by).max()


def test_two_classes_know_every_image(tmp_path, tiny_backbone):
    write_splits(tmp_path, classes=2, each=6, passes=1)
    thresholds, score = calibrate(*embedded(tmp_path, tiny_backbone), Calibration())
    assert thresholds.known == DEFAULT_KNOWN
    assert score == NOTHING_TO_COMPARE
