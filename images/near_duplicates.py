"""Finds near-duplicates: the same picture scaled, recompressed or mirrored.

Two images are near-duplicates if their perceptual hashes (pHash: Zauner 2010, "Implementation and
benchmarking of perceptual image hash functions") differ in a few bits, one of them mirrored or
not, and their shrunk pixels are similar too: different pictures of few frequencies, such as digits
or plain walls, may have the same hash.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

_BITS = 64
_MIN_CORRELATION = 0.98
"""Of the shrunk pixels of near-duplicates: a copy may differ in brightness and contrast."""

_ROUNDING = 2.0
"""Largest mean absolute difference, of 255, that recompression makes in shrunk pixels: an image of
low contrast correlates with nothing, not even with its copies."""


class Fingerprint(NamedTuple):
    """What decides whether two images are near-duplicates.

    Attributes:
        image: Names the image.
        hash: 64 bits, of the image.
        mirrored: 64 bits, of the mirrored image.
        grey: uint8 [32, 32] as bytes, the image shrunk.
    """

    image: str
    hash: int
    mirrored: int
    grey: bytes


def fingerprint(image: str, grey: np.ndarray) -> Fingerprint:
    """Return the fingerprint of an image that was shrunk to uint8 [32, 32]."""
    return Fingerprint(image, _phash(grey), _phash(grey[:, ::-1]), grey.tobytes())


def band_keys(one: Fingerprint, bits: int) -> Iterator[tuple[int, int]]:
    """Yield keys; near-duplicates, mirrored or not, have at least one in common.

    Of `bits` + 1 bands, `bits` differing bits leave one equal. So comparing only images with a
    common key finds all near-duplicates without comparing all pairs (locality-sensitive
    hashing; Indyk and Motwani 1998).
    """
    bands = max(bits + 1, 2)  # two at least keep a key within 32 bits
    edges = [band * _BITS // bands for band in range(bands + 1)]
    for value in {one.hash, one.mirrored}:
        for band in range(bands):
            width = edges[band + 1] - edges[band]
            yield band, value >> edges[band] & ((1 << width) - 1)


def are_near_duplicates(one: Fingerprint, other: Fingerprint, bits: int) -> bool:
    """Return whether two images are near-duplicates: hashes that differ in at most `bits` of 64."""
    return (
        _distance(one.hash, other.hash) <= bits and _alike(one.grey, other.grey, mirror=False)
    ) or (_distance(one.hash, other.mirrored) <= bits and _alike(one.grey, other.grey, mirror=True))


def pairs_in_band(members: Iterable[Fingerprint], bits: int) -> Iterator[tuple[str, str]]:
    """Yield the near-duplicates among images with a common key.

    All pairs are compared, since similarity is not transitive; equal pictures only once.
    """
    distinct: dict[tuple[int, bytes], Fingerprint] = {}
    for member in sorted(set(members)):
        same = distinct.setdefault((member.hash, member.grey), member)
        if same is not member:
            yield same.image, member.image
    for one, other in itertools.combinations(distinct.values(), 2):
        if are_near_duplicates(one, other, bits):
            yield one.image, other.image


class Groups(dict[str, str]):
    """Groups of near-duplicates (union-find; Galler and Fisher 1964).

    Maps each image to another of its group, the first to itself. Images without near-duplicates are
    not in it, so that its size depends on the duplicates alone.
    """

    def first(self, image: str) -> str:
        """Return the first image, by name, of an image's group."""
        while self.setdefault(image, image) != image:
            self[image] = self[self[image]]
            image = self[image]
        return image

    def join(self, one: str, other: str) -> None:
        """Merge the groups of two images."""
        first, second = sorted((self.first(one), self.first(other)))
        self[second] = first

    def lists(self) -> list[list[str]]:
        """Return the groups, sorted."""
        members: dict[str, list[str]] = defaultdict(list)
        for image in list(self):
            members[self.first(image)].append(image)
        return sorted(sorted(images) for images in members.values())


def _phash(grey: np.ndarray) -> int:
    low = cv2.dct(np.ascontiguousarray(grey, np.float32))[:8, :8].ravel()
    # The first coefficient is the brightness, which may differ in a copy.
    bits = low > np.median(low[1:])
    return int(np.packbits(bits).tobytes().hex(), 16)


def _distance(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def _alike(one: bytes, other: bytes, mirror: bool) -> bool:
    left, right = (
        np.frombuffer(grey, np.uint8).reshape(32, 32).astype(np.float32) for grey in (one, other)
    )
    if mirror:
        right = right[:, ::-1]
    if np.abs(left - right).mean() <= _ROUNDING:
        return True
    spread = float(left.std() * right.std())
    covariance = float(((left - left.mean()) * (right - right.mean())).mean())
    return covariance >= _MIN_CORRELATION * spread > 0
