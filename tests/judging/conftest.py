"""A judgement that several files look at."""

import numpy as np
import pytest
from judge_views import held_out, judged

from judging.gate import LAST_BLESSED, PRETRAINED_ENCODER


@pytest.fixture(scope="session")
def images_and_view():
    return held_out(classes=4, each=15, spread=0.45)


@pytest.fixture(scope="session")
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
