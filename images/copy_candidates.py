"""Finds images that may be copies of each other, cheaply: by descriptors of 16 x 16 pixels.

Pictures of one scene, such as those of a fixed camera, all look alike, so descriptors are whitened
by the covariance of the whole data set: what the images have in common does not count, and
different images are nearly orthogonal (Jegou and Chum 2012, "Negative evidences and co-occurrences
in image retrieval: the benefit of PCA and whitening"). Copies are then nearest neighbours.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

_SIDE = 16
_DIMENSIONS = _SIDE * _SIDE
_LEVELS = 256
"""Steps of a descriptor per grey level: the mean of many pixels is finer than one of them."""

_SHRINKAGE = 0.0005
"""Added to the covariance, as a multiple of the mean variance, beside `_for_few`. With 0.01, 1,000
pictures of a fixed camera had a third more candidates, and fewer of their crops were among these.
"""

_MIN_SIMILARITY = 0.3
"""Cosine of whitened descriptors."""

_CROP = 0.05
_PLACES = (0.0, 0.0), (0.0, 1.0), (0.5, 0.5), (1.0, 0.0), (1.0, 1.0)
"""Each image is also compared by crops that lack 5 % of the height and width, at the corners and in
the middle: a copy that is cropped by 3 to 8 % resembles one of them."""

_NEIGHBOURS = 3
_AMONG = 20
_MAX_RATIO = 0.7
_SURE = 0.9
_FIRST = 10
"""A candidate is one of an image's three nearest neighbours. Its distance, 1 - cosine, is at most
0.7 times that of the 20th nearest, since pictures of one scene are all near. Of the images at a
distance of at most 0.1, the first ten are candidates as well: if there are many copies of an image,
each is compared with the same ones."""

_SAME_SCENE = 0.95
_SCENE = 7
"""How many images that show the same scene, but no candidates, are named for verification. Their
descriptors correlate by at least 0.95 before whitening."""

_CELL = 5_000
_CELLS = 3
"""A data set of 20,000 images or more is divided into cells. It has a cell for every 5,000 images;
each image is compared within its three nearest ones."""

_BLOCK = 512


class Described(NamedTuple):
    """An image in the search.

    Attributes:
        path: Names the image.
        label: Its class.
        descriptor: What `descriptor` returns.
    """

    path: str
    label: str
    descriptor: bytes


class Candidates(NamedTuple):
    """Images that may be copies of one of them.

    Attributes:
        image: The path and class of the image.
        others: The path and class of each that may be its copy, and whether that may be mirrored.
        scene: Paths of other images of the same scene.
        similarity: That of the most similar of `others`, up to 1.
    """

    image: tuple[str, str]
    others: tuple[tuple[str, str, bool], ...]
    scene: tuple[str, ...]
    similarity: float


def descriptor(grey: np.ndarray) -> bytes:
    """Return the descriptor of a grey image, uint8 [256, 256]: 512 bytes."""
    small = cv2.resize(grey.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.rint(small * _LEVELS).astype(np.uint16).tobytes()


class Statistics:
    """Mean and covariance of descriptors, and some of them as centres of cells.

    Holds the same memory for any number of images.
    """

    MAX_CENTRES = 64

    def __init__(self) -> None:
        self.count = 0
        self._sum = np.zeros(_DIMENSIONS)
        self._products = np.zeros((_DIMENSIONS, _DIMENSIONS))
        self._centres: list[tuple[str, bytes]] = []

    def add(self, rank: str, one: bytes) -> None:
        """Add a descriptor.

        Args:
            rank: A hash of the image; the images with the smallest are the centres.
            one: The descriptor.
        """
        plain = _normalized([one])[0]
        for vector in (plain, _mirrored(plain)):
            self._sum += vector
            self._products += np.outer(vector, vector)
        self.count += 1
        self._keep([(rank, one)])

    def merge(self, other: Statistics) -> None:
        """Add all descriptors of other statistics."""
        self.count += other.count
        self._sum += other._sum
        self._products += other._products
        self._keep(other._centres)

    def _keep(self, centres: Sequence[tuple[str, bytes]]) -> None:
        self._centres = sorted([*self._centres, *centres])[: self.MAX_CENTRES]

    def whitening(self) -> Whitening:
        """Return the whitening of the descriptors."""
        mean = self._sum / max(2 * self.count, 1)
        covariance = self._products / max(2 * self.count, 1) - np.outer(mean, mean)
        variances, axes = np.linalg.eigh(covariance)
        shrinkage = _SHRINKAGE + _for_few(max(self.count, 1))
        ridge = max(shrinkage * float(variances.mean()), 1e-9)
        matrix = axes / np.sqrt(np.maximum(variances, 0) + ridge)
        cells = min(self.count // _CELL, self.MAX_CENTRES) if self.count >= 4 * _CELL else 1
        return Whitening(mean, matrix, [one for _, one in self._centres[:cells]])


def _for_few(images: int) -> float:
    """Return what is added besides: few images do not determine 256 variances.

    Without it, a crop of 3 % had little in common with its original among 120 images.
    """
    return min(10 / images, (35 / images) ** 2)


class Whitening:
    """Maps descriptors to unit vectors, of which those of different images are nearly orthogonal.

    Args:
        mean: float [256].
        matrix: float [256, 256].
        centres: Descriptors, one for each cell.
    """

    def __init__(self, mean: np.ndarray, matrix: np.ndarray, centres: Sequence[bytes]) -> None:
        self._mean, self._matrix = mean.astype(np.float32), matrix.astype(np.float32)
        self._centres = self(_normalized(centres)) if len(centres) > 1 else None

    def __call__(self, plain: np.ndarray) -> np.ndarray:
        """Return the unit vectors of descriptors, both float32 [n, 256]."""
        return _unit((plain - self._mean) @ self._matrix)

    def cells(self, one: bytes) -> list[int]:
        """Return the cells in which an image is compared; a copy of it has one in common."""
        if self._centres is None:
            return [0]
        plain = _normalized([one])
        similarity = np.maximum(
            self(plain) @ self._centres.T, self(_mirrored(plain)) @ self._centres.T
        )[0]
        return np.argsort(-similarity, kind="stable")[:_CELLS].tolist()


def candidates(cell: Sequence[Described], whitening: Whitening) -> Iterator[Candidates]:
    """Yield, for each image of a cell, which others may be its copies, each pair once.

    Args:
        cell: Images without identical files.
        whitening: Of the whole data set.
    """
    images = sorted(cell)
    plain = _normalized([image.descriptor for image in images])
    vectors, mirrored, raw = whitening(plain), whitening(_mirrored(plain)), _unit(plain)
    seen: set[tuple[int, int]] = set()
    for start in range(0, len(images), _BLOCK):
        rows = slice(start, start + _BLOCK)
        upright, turned = vectors[rows] @ vectors.T, vectors[rows] @ mirrored.T
        for crop in _crops(plain[rows]):
            np.maximum(upright, whitening(crop) @ vectors.T, out=upright)
        nearest = np.maximum(upright, turned)
        for row, similarity in enumerate(nearest):
            one = start + row
            similarity[one] = -1
            found = [
                other
                for other in _near(similarity)
                if (min(one, other), max(one, other)) not in seen
            ]
            if not found:
                continue
            seen.update((min(one, other), max(one, other)) for other in found)
            scene = np.flatnonzero(
                (raw @ raw[one] >= _SAME_SCENE) & (similarity < _MIN_SIMILARITY)
            ).tolist()
            yield Candidates(
                images[one][:2],
                tuple(
                    (*images[other][:2], bool(turned[row, other] > upright[row, other]))
                    for other in found
                ),
                tuple(images[other].path for other in scene if other != one)[:_SCENE],
                float(similarity[found].max()),
            )


def _near(similarity: np.ndarray) -> list[int]:
    """Return the nearest neighbours that stand out."""
    among = min(_AMONG, len(similarity) - 1)
    if among < 1:
        return []
    nearest = np.argpartition(-similarity, among - 1)[:among]
    nearest = nearest[np.argsort(-similarity[nearest], kind="stable")]
    limit = _MIN_SIMILARITY
    if among == _AMONG:
        limit = max(limit, 1 - _MAX_RATIO * (1 - float(similarity[nearest[-1]])))
    found = [int(other) for other in nearest[:_NEIGHBOURS] if similarity[other] >= limit]
    first = np.flatnonzero(similarity >= _SURE)[:_FIRST].tolist()
    return [*found, *(other for other in first if other not in found)]


def _normalized(descriptors: Sequence[bytes]) -> np.ndarray:
    """Return descriptors without brightness and contrast, float32 [n, 256]."""
    levels = np.frombuffer(b"".join(descriptors), np.uint16).reshape(-1, _DIMENSIONS)
    plain = levels.astype(np.float32) / _LEVELS
    plain -= plain.mean(1, keepdims=True)
    return plain / np.maximum(plain.std(1, keepdims=True), 1)


def _crops(plain: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the normalized descriptors of each crop of the images, float32 [n, 256]."""
    for crop in _crop_maps():
        cropped = plain @ crop
        cropped -= cropped.mean(1, keepdims=True)
        yield cropped / np.maximum(cropped.std(1, keepdims=True), 1e-3)


@functools.cache
def _crop_maps() -> tuple[np.ndarray, ...]:
    """Return the linear maps from descriptors to those of crops, float32 [256, 256] each."""
    scale, pixels = 1 - _CROP, np.eye(_DIMENSIONS, dtype=np.float32).reshape(-1, _SIDE, _SIDE)
    maps = []
    for place in _PLACES:
        # Pixel centres are at whole numbers.
        left, top = (share * _CROP * _SIDE + (scale - 1) / 2 for share in place)
        crop = np.array([[scale, 0, left], [0, scale, top]])
        warped = [
            cv2.warpAffine(
                one, crop, (_SIDE, _SIDE),
                flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
            )
            for one in pixels
        ]  # fmt: skip
        maps.append(np.reshape(warped, (_DIMENSIONS, _DIMENSIONS)))
    return tuple(maps)


def _mirrored(plain: np.ndarray) -> np.ndarray:
    return plain.reshape(-1, _SIDE, _SIDE)[:, :, ::-1].reshape(plain.shape)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
