"""Calibrates a trained network on the validation split."""

from __future__ import annotations

import keras
import numpy as np

from judging.probabilities import temperature
from judging.score_choice import NOTHING_TO_COMPARE, ScoreChoice, choose_score
from judging.thresholds import (
    DEFAULT_KNOWN,
    CalibratedThresholds,
    known_and_unknown,
    known_from_scores,
    same_threshold,
)
from trainer.network.siamese import Siamese
from trainer.settings import Calibration
from trainer.training.images import HeldOut


def calibrate(
    model: Siamese,
    support: np.ndarray,
    support_labels: np.ndarray,
    validation: np.ndarray,
    held: HeldOut,
    settings: Calibration,
) -> tuple[CalibratedThresholds, ScoreChoice]:
    """Fit the network's similarity, and return its thresholds and what its scores are made of.

    Args:
        model: The network.
        support: float32 [s, d], embeddings of training images by it.
        support_labels: str [s], their classes.
        validation: float32 [n, d], embeddings of the validation images by it.
        held: These images, and pairs of them.
        settings: Which errors the thresholds may make.
    """
    model.calibrate(validation[held.left], validation[held.right], held.target == 1)
    similarities = keras.ops.convert_to_numpy(
        model.similarity(validation[held.left], validation[held.right])
    )
    both = support, support_labels, validation, held.images.labels
    found = known_and_unknown(*both, held.images.numbered_groups())
    score, known = NOTHING_TO_COMPARE, DEFAULT_KNOWN
    if found is not None:
        score = choose_score(found.known, found.unknown, found.labels)
        of_known, of_unknown = (x.by(score.scored_by) for x in (found.known, found.unknown))
        known = known_from_scores(of_known, of_unknown, settings.known_false_accepts)
    by = score.scored_by
    thresholds = CalibratedThresholds(
        same=same_threshold(similarities, held.target, settings.same_false_accepts),
        known=known,
        temperature=temperature(*both, by),
        scored_by=by,
    )
    return thresholds, score
