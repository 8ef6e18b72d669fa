import cv2
import numpy as np
import pytest
from fixed_camera import COPIES, photograph, recompressed, shots

from images import copy_verification
from images.copy_verification import Scene, Thumbnail, are_copies


def thumbnail(pixels):
    grey = cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA)
    return Thumbnail(grey, min(pixels.shape))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_copies(seed, copy):
    original = photograph(seed)
    one, other = thumbnail(original), thumbnail(copy(original))
    assert are_copies(one, other)
    assert are_copies(other, one)
    assert are_copies(one, thumbnail(copy(original)[:, ::-1]).mirrored())


def test_different_photographs_are_none():
    images = [thumbnail(photograph(seed)) for seed in range(8)]
    for i, one in enumerate(images):
        assert not any(are_copies(one, other) for other in images[:i])


@pytest.mark.parametrize("contrast", [40, 100])
@pytest.mark.parametrize("quality", [50, 90])
@pytest.mark.parametrize("kind", ["scratch", "dot"])
def test_a_small_defect_tells_recompressed_pictures_of_one_scene_apart(kind, quality, contrast):
    # A scene of moderate contrast, so that edges excuse little.
    scene = cv2.convertScaleAbs(photograph(0, 512), alpha=0.4, beta=60)
    changed = scene.astype(np.int16)
    mask = np.zeros_like(scene)
    if kind == "scratch":
        cv2.line(mask, (200, 200), (250, 230), 1, 3)
    else:
        cv2.circle(mask, (300, 280), 6, 1, -1)
    changed = np.clip(changed + contrast * mask, 0, 255).astype("uint8")
    one, other = thumbnail(scene), thumbnail(recompressed(changed, quality))
    assert not are_copies(one, other)
    assert not are_copies(other, one)


def test_two_shots_of_a_scene_are_copies_only_with_the_same_noise():
    first, second, *others = [thumbnail(pixels) for pixels in shots(15)[::3]]
    assert not are_copies(first, second, Scene(others))
    for quality in (50, 75, 95):
        copy = thumbnail(recompressed(shots(1)[0], quality))
        assert are_copies(first, copy, Scene(others))


def test_light_that_saturates_is_no_shared_noise():
    shown = [cv2.convertScaleAbs(pixels, alpha=1.4) for pixels in shots(15)[::3]]
    first, second, *others = (thumbnail(pixels) for pixels in shown)
    assert not are_copies(first, second, Scene(others))
    assert are_copies(first, thumbnail(recompressed(shown[0], 75)), Scene(others))


def test_of_a_few_images_every_pixel_has_its_median():
    images = np.random.default_rng(0).normal(size=(6, 4, 5)).astype(np.float32)
    for count in range(1, 7):
        np.testing.assert_array_equal(
            copy_verification._median(images[:count]), np.median(images[:count], axis=0)
        )


@pytest.mark.filterwarnings("error")
def test_a_border_without_noise_is_no_error():
    """Of pictures that were padded."""
    pictures = [np.pad(photograph(0)[80:140], 98, constant_values=200) for _ in range(4)]
    first, second, *others = (thumbnail(picture) for picture in pictures)
    are_copies(first, second, Scene(others))


def test_blank_images_of_one_brightness_are_copies():
    black, white = (thumbnail(np.full((64, 64), level, "uint8")) for level in (0, 255))
    assert are_copies(black, black)
    assert are_copies(white, white)


def test_handwritten_digits_are_not_taken_for_each_other():
    from sklearn.datasets import load_digits

    digits = load_digits().images[:15] * 255 / 16
    images = [thumbnail(np.rint(digit).astype("uint8")) for digit in digits]
    for i, one in enumerate(images):
        assert not any(are_copies(one, other) for other in images[:i])


def grating(phase, seed, side=64, noise=4.0):
    """Stripes with noise, uint8 [side, side]."""
    y = np.mgrid[:side, :side][0]
    noise = np.random.default_rng(seed).normal(0, noise, (side, side))
    return np.clip(128 + 100 * np.sin(y * np.pi / 4 + phase) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("phase", [0.2, 0.6, 6.1])
def test_a_texture_at_another_place_of_its_period_is_no_copy(phase):
    one = thumbnail(grating(0, 0))
    assert not are_copies(one, thumbnail(grating(phase, 1)))
    for quality in (75, 95):
        assert are_copies(one, thumbnail(recompressed(grating(0, 0), quality)))
    assert are_copies(one, thumbnail(cv2.resize(grating(0, 0), (45, 45))))


def test_a_copy_may_have_lost_its_noise_for_weaker_one():
    """As compression leaves it."""
    one = thumbnail(grating(0, 0))
    assert are_copies(one, thumbnail(grating(0, 1, noise=2.0)))
    assert not are_copies(one, thumbnail(grating(0, 1)))


def test_an_image_without_noise_has_none_of_its_own():
    """Drawn, and cut out a little to the side: a copy."""
    drawn = np.full((300, 300), 230, np.uint8)
    cv2.circle(drawn, (150, 150), 60, 30, 8)
    assert are_copies(thumbnail(drawn), thumbnail(np.ascontiguousarray(drawn[:291, 6:297])))
