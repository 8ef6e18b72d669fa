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
def test_each_change_applies_to_training_images_alone(change):
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


def test_equal_seeds_give_equal_changes():
    one, same = (build_augmentation(Augmentation(), seed=5)(IMAGES, training=True) for _ in "ab")
    np.testing.assert_array_equal(one, same)


def test_changes_are_independent_of_each_other():
    """An image's angle must say nothing about its zoom, shift, brightness, mirroring, ..."""
    settings = Augmentation(
        rotation=20, scale=0.2, shift=0.1, horizontal_flip=True, brightness=0.3, contrast=0.3,
        saturation=0.5,
    )  # fmt: skip
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    ramp = np.stack([128 + 60 * x, 128 + 30 * x, 128 + 10 * x], axis=-1).astype("float32")
    images = np.repeat(ramp[None], 400, axis=0)
    measures = {
        "random_flip": lambda c: c[..., 0] @ np.sign(x).ravel() > 0,
        "random_rotation": lambda c: c[..., 0] @ y.ravel(),
        "random_zoom": lambda c: c[..., 0] @ x.ravel(),
        "random_translation": lambda c: c[..., 0].mean(axis=1),
        "random_brightness": lambda c: c[..., 0].mean(axis=1),
        "random_contrast": lambda c: c[..., 0].std(axis=1),
        "random_saturation": lambda c: (c.max(axis=2) - c.min(axis=2)).mean(axis=1),
    }
    drawn = []
    for layer in build_augmentation(settings, seed=0).layers:
        name = next((name for name in measures if layer.name.startswith(name)), None)
        if name:
            changed = np.array(layer(images, training=True)).reshape(400, 256, 3)
            drawn.append(np.asarray(measures.pop(name)(changed), "float64"))
    assert not measures
    correlations = np.abs(np.corrcoef(drawn) - np.eye(len(drawn)))
    assert correlations.max() < 0.2  # four standard errors
