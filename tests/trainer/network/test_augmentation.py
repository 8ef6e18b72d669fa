import numpy as np
import pytest

from trainer.network.augmentation import build_augmentation
from trainer.settings import Augmentation

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype("float32")
NONE = {"rotation": 0, "scale": 0, "shift": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"rotation": 30},
        {"scale": 0.3},
        {"shift": 0.2},
        {"brightness": 0.4},
        {"contrast": 0.5},
        {"horizontal_flip": True, "vertical_flip": True},
    ],
)
def test_each_changes_training_images_alone(change):
    layer = build_augmentation(Augmentation(**{**NONE, **change}), seed=3)
    np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES)
    changed = np.array(layer(np.repeat(IMAGES, 8, axis=0), training=True))
    assert changed.shape == (16, 16, 16, 3)
    assert not np.allclose(changed, np.repeat(IMAGES, 8, axis=0), atol=1)
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_none_changes_nothing():
    layer = build_augmentation(None, seed=0)
    np.testing.assert_array_equal(layer(IMAGES, training=True), IMAGES)


def test_a_seed_repeats_itself():
    one, same = (build_augmentation(Augmentation(), seed=5)(IMAGES, training=True) for _ in "ab")
    np.testing.assert_array_equal(one, same)
