import cv2
import numpy as np
import pytest
from fixed_camera import COPIES, photograph, recompressed, shots

from images import copy_candidates
from images.copy_candidates import Described, Statistics, candidates, descriptor


def described(name, pixels):
    grey = cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA)
    return Described(name, "x", descriptor(grey))


def statistics_of(images):
    statistics = Statistics()
    for image in images:
        statistics.add(image.path, image.descriptor)
    return statistics


def pairs(images):
    found = candidates(images, statistics_of(images).whitening())
    return {
        (*sorted((one.image[0], other)), mirrored)
        for one in found
        for other, _, mirrored in one.others
    }


@pytest.fixture(scope="module")
def photographs():
    return [described(f"{seed:03d}", photograph(seed)) for seed in range(100)]


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_copies_are_candidates(photographs, copy):
    copies = [described(f"{seed:03d}-copy", copy(photograph(seed))) for seed in range(10)]
    mirrored = described("050-mirrored", np.ascontiguousarray(copy(photograph(50))[:, ::-1]))
    found = pairs([*photographs, *copies, mirrored])
    assert {(f"{seed:03d}", f"{seed:03d}-copy", False) for seed in range(10)} <= found
    assert ("050", "050-mirrored", True) in found
    assert len(found) < 20


def test_few_pictures_of_a_fixed_camera_are_candidates_but_copies_are():
    pictures = shots(150)
    images = [described(f"{i:03d}", pixels) for i, pixels in enumerate(pictures)]
    copies = [described(f"{i:03d}-copy", recompressed(pictures[i])) for i in range(0, 150, 15)]
    found = pairs([*images, *copies])
    assert {(f"{i:03d}", f"{i:03d}-copy", False) for i in range(0, 150, 15)} <= found
    assert len(found) < 3 * 150
    one = next(candidates(images, statistics_of(images).whitening()))
    assert len(one.scene) == 7
    assert not set(one.scene) & {one.image[0], *(path for path, _, _ in one.others)}


def test_many_copies_are_compared_with_the_same_ones(photographs):
    copies = [
        described(f"000-{quality}", recompressed(photograph(0), quality))
        for quality in range(60, 95)
    ]
    found = pairs([*photographs, *copies])
    linked = {name for a, b, _ in found for name in (a, b) if "000" in (a, b)}
    assert len(linked) == 36


def test_statistics_do_not_depend_on_the_order(photographs):
    whole, left, right = (
        statistics_of(part) for part in (photographs, photographs[::2], photographs[1::2])
    )
    right.merge(left)
    one, other = whole.whitening(), right.whitening()
    plain = np.random.default_rng(0).normal(size=(5, 256)).astype("float32")
    np.testing.assert_allclose(one(plain) @ one(plain).T, other(plain) @ other(plain).T, atol=1e-3)


def test_a_large_data_set_is_divided_into_cells_that_copies_share(photographs, monkeypatch):
    monkeypatch.setattr(copy_candidates, "_CELL", 10)
    whitening = statistics_of(photographs).whitening()
    for seed, image in enumerate(photographs):
        copy = np.ascontiguousarray(recompressed(photograph(seed))[:, ::-1])
        cells = whitening.cells(image.descriptor)
        assert len(cells) == 3
        assert set(cells) & set(whitening.cells(described("copy", copy).descriptor))
