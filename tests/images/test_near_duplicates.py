import itertools
from collections import defaultdict

import cv2
import numpy as np
import pytest

from images.near_duplicates import (
    Fingerprint,
    Groups,
    are_near_duplicates,
    band_keys,
    fingerprint,
    pairs_in_band,
)


def photograph(seed, size=256):
    """Smooth noise: as varied as a photograph, and no two alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 9), "uint8")
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def fingerprint_of(pixels, name="image"):
    return fingerprint(name, cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA))


def joined(pairs):
    groups = Groups()
    for pair in pairs:
        groups.join(*pair)
    return groups


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
        lambda p: recompressed(cv2.convertScaleAbs(p, alpha=0.9, beta=12)),
    ],
    ids=["mirrored", "smaller", "recompressed", "mirrored and recompressed", "brighter"],
)
def test_copies_are_found(seed, copy):
    bits = 3
    original = photograph(seed)
    one, other = fingerprint_of(original), fingerprint_of(np.ascontiguousarray(copy(original)))
    assert are_near_duplicates(one, other, bits=3)
    assert are_near_duplicates(other, one, bits=3)
    assert set(band_keys(one, bits)) & set(band_keys(other, bits))


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


@pytest.mark.parametrize("bits", [0, 1, 3, 7])
def test_hashes_that_differ_in_few_bits_share_a_band(bits):
    rng = np.random.default_rng(bits)
    grey = bytes(1024)
    for _ in range(200):
        value = int(rng.integers(0, 2**63))
        flipped = value
        for bit in rng.choice(64, bits, replace=False).tolist():
            flipped ^= 1 << bit
        one, other = (Fingerprint("", v, v, grey) for v in (value, flipped))
        assert set(band_keys(one, bits)) & set(band_keys(other, bits))


def test_bands_of_different_images_stay_small():
    """Else many images would be compared with many."""
    rng = np.random.default_rng(0)
    members: dict[tuple[int, int], int] = defaultdict(int)
    for i in range(2000):
        value, mirrored = (int.from_bytes(rng.bytes(8), "big") for _ in range(2))
        for key in band_keys(Fingerprint(str(i), value, mirrored, b""), bits=3):
            members[key] += 1
    assert max(members.values()) < 10


@pytest.mark.parametrize("names", list(itertools.permutations("abc")))
def test_a_chain_is_found_whatever_the_order(names):
    """Its ends differ in more bits than allowed; the middle is near to both."""
    grey = bytes(1024)
    chain = [
        Fingerprint(name, value, 2**63 + 2**60 * i, grey)
        for i, (name, value) in enumerate(zip(names, (0b0, 0b111, 0b111111), strict=True))
    ]
    assert joined(pairs_in_band(chain, bits=3)).lists() == [["a", "b", "c"]]


def test_groups_join_chains():
    groups = joined([("c", "b"), ("b", "a"), ("y", "z")])
    assert {image: groups.first(image) for image in "abcyz"} == {
        "a": "a", "b": "a", "c": "a", "y": "y", "z": "y",
    }  # fmt: skip
    assert groups.lists() == [["a", "b", "c"], ["y", "z"]]


def test_a_band_of_copies_costs_no_square():
    same = [fingerprint_of(photograph(0), f"{i:03d}") for i in range(200)]
    pairs = list(pairs_in_band(same, bits=3))
    assert len(pairs) == 199
    assert len(joined(pairs).lists()) == 1
