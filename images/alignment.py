"""Aligns images that show the same, cropped or moved a little."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from images.canonical import GREY_SIZE

_MAX_DISTORTION = 0.13
"""Largest difference of an alignment's linear part to the identity: a crop of 8 % changes 0.09."""

ALIGNED = 128
"""Height and width at which images are aligned."""

COARSE = 64
"""The same for a cheap alignment that starts from equal places."""

CERTAIN = 0.99
"""Correlation from which on a cheap alignment is the right one, as between pictures of a fixed
camera."""

_PATCH, _REACH = 32, 12
"""Size of the patches that are searched for, and how far, at `ALIGNED`."""

_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
IDENTITY = np.eye(2, 3, dtype=np.float32)


class Alignment(NamedTuple):
    """An affine transform between two images.

    Attributes:
        transform: float32 [2, 3], from the frame of the first image to that of the second.
        correlation: That of the aligned images, at most 1.
    """

    transform: np.ndarray
    correlation: float


def refined(one: np.ndarray, other: np.ndarray, start: np.ndarray, size: int) -> Alignment | None:
    """Return the transform near `start` with the highest correlation; None if there is none.

    Evangelidis and Psarakis 2008, "Parametric image alignment using enhanced correlation
    coefficient maximization".

    Args:
        one: uint8 [256, 256].
        other: uint8 [256, 256].
        start: float32 [2, 3], from the frame of the first image to that of the second.
        size: Height and width at which the images are compared.
    """
    scale = size / GREY_SIZE
    try:
        correlation, transform = cv2.findTransformECC(
            resized(one, size), resized(other, size), in_frame(start, scale),
            cv2.MOTION_AFFINE, _CRITERIA, np.full((size, size), 255, np.uint8), 3,
        )  # fmt: skip
    except cv2.error:  # it does not converge
        return None
    if np.abs(transform[:, :2] - IDENTITY[:, :2]).max() > _MAX_DISTORTION:
        return None
    return Alignment(in_frame(transform, 1 / scale), correlation)


def same_place(one: np.ndarray, other: np.ndarray, start: np.ndarray) -> np.ndarray | None:
    """Return the transform near `start`, see `refined`: a cheap one, if that is certainly right."""
    found = refined(one, other, start, COARSE)
    if found is None or found.correlation < CERTAIN:
        found = refined(one, other, start, ALIGNED)
    return None if found is None else found.transform


def resized(grey: np.ndarray, size: int) -> np.ndarray:
    """Return a square image with another height and width."""
    if len(grey) == size:
        return grey
    return cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)


def in_frame(transform: np.ndarray, scale: float) -> np.ndarray:
    """Return the same transform between images that are scaled, as a new array."""
    # Pixel centres are at whole numbers, in both sizes.
    centre = (scale - 1) / 2
    scaled = transform.copy()
    scaled[:, 2] = scale * transform[:, 2] + centre - transform[:, :2] @ (centre, centre)
    return scaled


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the transform that does one affine transform after another."""
    linear = second[:, :2] @ first[:, :2]
    return np.hstack([linear, second[:, :2] @ first[:, 2:] + second[:, 2:]])


def matched_patches(one: np.ndarray, other: np.ndarray) -> np.ndarray | None:
    """Return the transform that maps most patches of an image to where they are in another one."""
    one, other = resized(one, ALIGNED), resized(other, ALIGNED)
    corners = range(_REACH, ALIGNED - _PATCH - _REACH + 1, 18)
    found = []
    for y in corners:
        for x in corners:
            area = other[y - _REACH : y + _PATCH + _REACH, x - _REACH : x + _PATCH + _REACH]
            patch = one[y : y + _PATCH, x : x + _PATCH]
            _, best, _, (dx, dy) = cv2.minMaxLoc(
                cv2.matchTemplate(area, patch, cv2.TM_CCOEFF_NORMED)
            )
            if best > 0.5:
                found.append(((x, y), (x + dx - _REACH, y + dy - _REACH)))
    if len(found) < 4:
        return None
    centre = _PATCH / 2
    starts, ends = (np.array(points, np.float32) + centre for points in zip(*found, strict=True))
    transform, inliers = cv2.estimateAffine2D(starts, ends, ransacReprojThreshold=1.5)
    if transform is None or inliers.sum() < max(4, len(found) // 2):
        return None
    if np.abs(transform[:, :2] - IDENTITY[:, :2]).max() > 2 * _MAX_DISTORTION:
        return None
    return in_frame(transform.astype(np.float32), GREY_SIZE / ALIGNED)


def warped(grey: np.ndarray, transform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image in the frame of another one, and where it is known.

    Args:
        grey: uint8 or float32 [n, n].
        transform: float32 [2, 3], from the frame of the other image to that of this one.

    Returns:
        float32 and bool of the same size; the border is left out.
    """
    border = 4 * len(grey) // GREY_SIZE
    inside = np.zeros(grey.shape, bool)
    within = slice(border, -border), slice(border, -border)
    if np.array_equal(transform, IDENTITY):
        inside[within] = True
        return grey.astype(np.float32), inside
    pixels = cv2.warpAffine(
        grey.astype(np.float32), transform, grey.shape[::-1],
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    known = cv2.warpAffine(
        np.ones(grey.shape, np.uint8), transform, grey.shape[::-1],
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )  # fmt: skip
    known = cv2.erode(known, np.ones((2 * border + 1, 2 * border + 1), np.uint8))
    inside[within] = known[within] > 0
    return pixels, inside
