"""Decides whether two images are copies of each other: pixel by pixel, after alignment.

A copy was recompressed, scaled, cropped a little, made brighter or darker, or mirrored. After
alignment and a linear fit of the brightness it differs by the noise of compression only. The
residual is judged where it is largest, not by its mean, since a scratch changes few pixels.

Two pictures that a fixed camera took of one scene may differ in the noise of the sensor only. So
where other images of the scene are known, copies must also share that noise: they correlate after
the median of the others is subtracted.

`python -m benchmarks.near_duplicates` measures both kinds of error; the constants come from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from images.canonical import GREY_SIZE

_MAX_RESIDUAL = 3.0
"""Largest residual, as a multiple of what compression is expected to make at that place."""

_EDGES = 0.3
"""Expected residual per grey level of gradient, from blur and imperfect alignment."""

_RINGING = 0.2
"""The same for the largest gradient within a block of JPEG, 8 pixels of the image."""

_MAX_NOISE = 5.0
"""Largest noise in grey levels; JPEG of quality 30 makes 3.5."""

_MAX_GAIN = 2.0
"""Largest change of contrast."""

_MIN_COMMON = 0.75
"""Smallest share of an image that its copy shows."""

_MAX_DISTORTION = 0.13
"""Largest difference of an alignment's linear part to the identity: a crop of 8 % changes 0.09."""

_MIN_SHARED_NOISE = 0.55
"""Smallest correlation after the median of other images of the scene is subtracted; images that
share nothing but the scene have about 0.2, through the noise of that median, and JPEG of quality 50
leaves 0.6 of a camera's noise."""

_FIRST_LOOK = 2
"""Images of the scene for a first correlation. The median of few has more noise, which raises the
correlation, so that a pair below the limit would be below it with all of them."""

_SAMPLED = 7
"""Every how many pixels one is used for medians and to fit the brightness."""

_ALIGNED = 128
"""Height and width at which images are aligned."""

_PATCH, _REACH = 32, 12
"""Size of the patches that are searched for, and how far, at `_ALIGNED`."""

_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
_EVERYWHERE = np.full((_ALIGNED, _ALIGNED), 255, np.uint8)
_IDENTITY = np.eye(2, 3, dtype=np.float32)


class Thumbnail(NamedTuple):
    """An image as it is compared.

    Attributes:
        grey: uint8 [256, 256], the image in grey and resized.
        side: Pixels of its shorter side.
    """

    grey: np.ndarray
    side: int

    def mirrored(self) -> Thumbnail:
        """Return the mirrored image."""
        return Thumbnail(np.ascontiguousarray(self.grey[:, ::-1]), self.side)


class Scene:
    """Other images of the scene that an image shows, aligned to it when they are first needed.

    Args:
        one: The image.
        others: The other images, as `one` is oriented.
    """

    def __init__(self, one: Thumbnail, others: Sequence[Thumbnail]) -> None:
        self._target = one.grey.astype(np.float32)
        self._grey = one.grey
        self._others = list(others)
        self._aligned: list[tuple[np.ndarray, np.ndarray]] = []

    def aligned(self, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the first images that can be aligned, at most `count`, and where they are known.

        Returns:
            float32 [256, 256] and bool [256, 256] for each.
        """
        while self._others and len(self._aligned) < count:
            self._aligned += self._next(self._others.pop(0))
        return self._aligned[:count]

    def all(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return all that can be aligned, see `aligned`."""
        return self.aligned(len(self._aligned) + len(self._others))

    def _next(self, other: Thumbnail) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        transform = _alignment(self._grey, other.grey, _IDENTITY)
        if transform is not None:
            pixels, seen = _warped(other.grey, transform)
            if seen.any() and (fitted := _fit_brightness(self._target, pixels, seen)) is not None:
                yield _smooth(fitted), seen


def are_copies(one: Thumbnail, other: Thumbnail, scene: Scene | None = None) -> bool:
    """Return whether two images are copies of each other.

    Args:
        one: An image.
        other: Another one, mirrored beforehand if it may be a mirrored copy.
        scene: Other images of the scene that `one` shows; None if none are known.
    """
    for transform in (_IDENTITY, None):
        if transform is None:
            transform = _alignment(one.grey, other.grey)
        if transform is not None and _residual_is_compression(one, other, transform):
            return scene is None or _share_noise(one, other, transform, scene)
    return False


def _residual_is_compression(one: Thumbnail, other: Thumbnail, transform: np.ndarray) -> bool:
    # What the smaller image cannot show does not count.
    blur = max(1.0, GREY_SIZE / (2 * min(one.side, other.side)))
    left = cv2.GaussianBlur(one.grey, (0, 0), blur).astype(np.float32)
    right, inside = _warped(cv2.GaussianBlur(other.grey, (0, 0), blur), transform)
    if inside.mean() < _MIN_COMMON:
        return False
    fitted = _fit_brightness(left, right, inside)
    if fitted is None:
        return False
    residual = np.where(inside, left - fitted, 0)
    noise = 1.4826 * float(np.median(np.abs(residual[inside][::_SAMPLED])))
    if noise > _MAX_NOISE:
        return False
    # Of the smaller gradient: a scratch in one of them must not excuse itself.
    gradient = np.minimum(_gradient(left), _gradient(fitted))
    block = 2 * round(8 * GREY_SIZE / max(min(one.side, other.side), 32) / 2) + 1
    expected = (
        1
        + noise
        + _EDGES * cv2.dilate(gradient, np.ones((5, 5), np.uint8))
        + _RINGING * cv2.dilate(gradient, np.ones((block, block), np.uint8))
    )
    ratio = np.abs(cv2.blur(residual, (5, 5))) / expected
    return bool(ratio[inside].max() <= _MAX_RESIDUAL)


def _share_noise(one: Thumbnail, other: Thumbnail, transform: np.ndarray, scene: Scene) -> bool:
    left = one.grey.astype(np.float32)
    # Noise is finer than what an image may be judged by without alignment.
    refined = _alignment(one.grey, other.grey, transform) if transform is _IDENTITY else None
    right, inside = _warped(other.grey, transform if refined is None else refined)
    fitted = _fit_brightness(left, right, inside)
    if fitted is None:
        return True
    left, right = _smooth(left), _smooth(fitted)
    return _noise_correlates(left, right, inside, scene.aligned(_FIRST_LOOK)) and _noise_correlates(
        left, right, inside, scene.all()
    )


def _noise_correlates(
    left: np.ndarray,
    right: np.ndarray,
    inside: np.ndarray,
    others: Sequence[tuple[np.ndarray, np.ndarray]],
) -> bool:
    """Return whether two aligned images differ from other images of their scene in the same way."""
    inside = np.logical_and.reduce([inside, *(seen for _, seen in others)])
    if not others or inside.mean() < _MIN_COMMON / 2:
        return True  # not the same scene after all
    usual = np.median([pixels for pixels, _ in others], axis=0).astype(np.float32)
    # Away from edges, where they would correlate through imperfect alignment.
    gradient = _gradient(usual)
    flat = inside & (gradient <= np.median(gradient[inside][::_SAMPLED]))
    left, right = (_clipped((pixels - usual)[flat]) for pixels in (left, right))
    if not (left.std() and right.std()):
        return False  # a background without noise, such as a border, tells nothing
    return bool(np.corrcoef(left, right)[0, 1] >= _MIN_SHARED_NOISE)


def _smooth(pixels: np.ndarray) -> np.ndarray:
    """Return pixels without what no alignment keeps: the finest noise."""
    return cv2.GaussianBlur(pixels, (0, 0), 1)


def _clipped(noise: np.ndarray) -> np.ndarray:
    """Return values without outliers: a defect in other images of the scene must not count."""
    centred = noise - np.median(noise[::_SAMPLED])
    limit = 3 * 1.4826 * np.median(np.abs(centred[::_SAMPLED]))
    return centred.clip(-limit, limit)


def _warped(grey: np.ndarray, transform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image in the frame of another one, and where it is known.

    Args:
        grey: uint8 or float32 [256, 256].
        transform: float32 [2, 3], from the frame of the other image to that of this one.

    Returns:
        float32 [256, 256] and bool [256, 256]; the border is left out.
    """
    if transform is _IDENTITY:
        pixels, known = grey.astype(np.float32), np.ones(grey.shape, np.uint8)
    else:
        pixels = cv2.warpAffine(
            grey.astype(np.float32), transform, grey.shape[::-1],
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        known = cv2.warpAffine(
            np.ones(grey.shape, np.uint8), transform, grey.shape[::-1],
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        )  # fmt: skip
    known = cv2.erode(known, np.ones((9, 9), np.uint8))
    inside = np.zeros(known.shape, bool)
    inside[4:-4, 4:-4] = known[4:-4, 4:-4] > 0
    return pixels, inside


def _fit_brightness(
    target: np.ndarray, pixels: np.ndarray, inside: np.ndarray
) -> np.ndarray | None:
    """Return an image with brightness and contrast fitted to another one; None for a bad fit.

    Least squares, once more without outliers: a defect in one of the images must not count.
    """
    x, y = pixels[inside][::_SAMPLED], target[inside][::_SAMPLED]
    for _ in range(2):
        covariance = float(np.mean((x - x.mean()) * (y - y.mean())))
        # In a nearly blank image the contrast means nothing.
        gain = covariance / spread if (spread := float(x.var())) >= 0.25 else 1.0
        offset = float(y.mean()) - gain * float(x.mean())
        residual = np.abs(y - gain * x - offset)
        keep = residual <= 3 * max(1.4826 * float(np.median(residual)), 0.5)
        x, y = x[keep], y[keep]
    return gain * pixels + offset if 1 / _MAX_GAIN <= gain <= _MAX_GAIN else None


def _gradient(pixels: np.ndarray) -> np.ndarray:
    return np.hypot(
        cv2.Sobel(pixels, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(pixels, cv2.CV_32F, 0, 1, scale=0.125),
    )


def _alignment(
    one: np.ndarray, other: np.ndarray, start: np.ndarray | None = None
) -> np.ndarray | None:
    """Return the affine transform between two images, by their correlation; None if there is none.

    Evangelidis and Psarakis 2008, "Parametric image alignment using enhanced correlation
    coefficient maximization".

    Args:
        one: uint8 [256, 256].
        other: uint8 [256, 256].
        start: Where to start; by default a transform that maps patches to similar ones.

    Returns:
        float32 [2, 3], from the frame of the first image to that of the second.
    """
    scale = GREY_SIZE // _ALIGNED
    left, right = (
        cv2.resize(each, (_ALIGNED, _ALIGNED), interpolation=cv2.INTER_AREA)
        for each in (one, other)
    )
    transform = _matched_patches(left, right) if start is None else start.copy()
    if transform is None:
        return None
    try:
        _, transform = cv2.findTransformECC(
            left, right, transform, cv2.MOTION_AFFINE, _CRITERIA, _EVERYWHERE, 3
        )
    except cv2.error:  # it does not converge
        return None
    if np.abs(transform[:, :2] - _IDENTITY[:, :2]).max() > _MAX_DISTORTION:
        return None
    # Pixel centres are at whole numbers, in both sizes.
    centre = (scale - 1) / 2
    transform[:, 2] = scale * transform[:, 2] + centre - transform[:, :2] @ (centre, centre)
    return transform


def _matched_patches(one: np.ndarray, other: np.ndarray) -> np.ndarray | None:
    """Return the transform that maps most patches of an image to where they are in another one."""
    corners = range(_REACH, _ALIGNED - _PATCH - _REACH + 1, 18)
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
    if np.abs(transform[:, :2] - _IDENTITY[:, :2]).max() > 2 * _MAX_DISTORTION:
        return None
    return transform.astype(np.float32)
