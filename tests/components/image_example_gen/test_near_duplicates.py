import cv2
import numpy as np
import pytest

from components.image_example_gen.near_duplicates import (
    BANDS,
    Fingerprint,
    are_near_duplicates,
    band_keys,
    fingerprint,
    group_lists,
    groups,
    pairs_in_band,
)


def photograph(seed, size=256):
    """Smooth noise: as varied as a photograph, and no two alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 9), "uint8")
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def fingerprint_of(pixels, name="image"):
    return fingerprint(name, cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA))


def recompressed(pixels):
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "copy",
    [
        lambda p: p[:, ::-1],
        lambda p: cv2.resize(p, (180, 180), interpolation=cv2.INTER_AREA),
        recompressed,
        lambda p: recompressed(p[:, ::-1]),
    ],
    ids=["mirrored", "smaller", "recompressed", "mirrored and recompressed"],
)
def test_copies_are_found(seed, copy):
    original = photograph(seed)
    one, other = fingerprint_of(original), fingerprint_of(np.ascontiguousarray(copy(original)))
    assert are_near_duplicates(one, other, bits=3)
    assert are_near_duplicates(other, one, bits=3)
    assert set(band_keys(one)) & set(band_keys(other))


def test_different_photographs_are_not():
    prints = [fingerprint_of(photograph(seed)) for seed in range(60)]
    for i, one in enumerate(prints):
        assert not any(are_near_duplicates(one, other, bits=7) for other in prints[:i])


def test_plain_images_are_told_apart_by_their_pixels():
    """They have no frequencies to tell them apart."""
    black, white = np.zeros((64, 64), "uint8"), np.full((64, 64), 255, "uint8")
    assert not are_near_duplicates(fingerprint_of(black), fingerprint_of(white), bits=7)
    assert are_near_duplicates(fingerprint_of(black), fingerprint_of(black), bits=0)


def test_handwritten_digits_are_not_taken_for_each_other():
    from sklearn.datasets import load_digits

    prints = [
        fingerprint_of(np.rint(image * 255 / 16).astype("uint8"), str(i))
        for i, image in enumerate(load_digits().images[:300])
    ]
    assert not list(pairs_in_band(prints, bits=3))


def test_hashes_that_differ_in_few_bits_share_a_band():
    rng = np.random.default_rng(0)
    grey = bytes(1024)
    for _ in range(200):
        value = int(rng.integers(0, 2**63))
        flipped = value
        for bit in rng.choice(64, BANDS - 1, replace=False).tolist():
            flipped ^= 1 << bit
        one, other = (Fingerprint("", v, v, grey) for v in (value, flipped))
        assert set(band_keys(one)) & set(band_keys(other))


def test_groups_join_chains():
    group_of = groups([("b", "a"), ("c", "b"), ("x", "x"), ("y", "z")])
    assert group_of == {"a": "a", "b": "a", "c": "a", "x": "x", "y": "y", "z": "y"}
    assert group_lists(group_of) == [["a", "b", "c"], ["y", "z"]]


def test_a_band_of_copies_costs_no_square():
    same = [fingerprint_of(photograph(0), f"{i:03d}") for i in range(200)]
    pairs = list(pairs_in_band(same, bits=3))
    assert len(pairs) == 199
    assert len(group_lists(groups(pairs))) == 1
