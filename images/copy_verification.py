"""Decides whether two images are copies of each other: pixel by pixel, after alignment.

A copy was recompressed, scaled, cropped a little, made brighter or darker, or mirrored. After
alignment and a linear fit of the brightness it differs by the noise of compression only. The
residual is judged where it is largest, not by its mean, since a scratch changes few pixels.

Two pictures that a fixed camera took of one scene may differ in the noise of the sensor only. So
where other images of the scene are known, copies must also share that noise: they correlate after
the median of the others is subtracted. Without such images, as where a texture is seen at another
place of its period, two pictures are no copies if both have as much noise and share none of it.

`python -m benchmarks.near_duplicates` measures both kinds of error; the constants come from it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from images.alignment import (
    ALIGNED,
    CERTAIN,
    COARSE,
    IDENTITY,
    in_frame,
    joined,
    matched_patches,
    refined,
    resized,
    same_place,
    warped,
)
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

_MIN_SHARED_NOISE = 0.45
"""Smallest correlation after the median of other images of the scene is subtracted; images that
share nothing but the scene have 0.1 to 0.3, through the noise of that median, and JPEG of quality
50 leaves 0.6 of a camera's noise."""

_MIN_EQUAL_NOISE = 0.7
_MAX_OWN_NOISE = 0.15
"""Two images have noise of their own if the weaker is at least 0.7 times the stronger, and they
correlate by less than 0.15. Copies that lost all of their noise, by JPEG of quality 50 and less,
have much less than the original; where as much is left, they correlate by 0.15 to 1."""

_FINEST = 0.7
"""Blur of an image before its noise is measured, in pixels: JPEG changes the finest most."""

_QUANTIZATION = 0.5
"""Largest noise in grey levels that rounding may have made: twice what it does."""

_COARSE_NOISE = 9
"""Noise is finer than a square of this side, in pixels of 128; light and saturation are not."""

_SAMPLED = 17
"""Every how many pixels one is used for medians and to fit the brightness."""


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


class Usual(NamedTuple):
    """What several aligned images of a scene show.

    Attributes:
        pixels: float32 [128, 128], their median.
        seen: bool [128, 128], where all of them are known.
        flat: bool [128, 128], the quarter of `seen` with the smallest gradients.
    """

    pixels: np.ndarray
    seen: np.ndarray
    flat: np.ndarray


class InScene(NamedTuple):
    """An image aligned to a scene.

    Attributes:
        transform: From the frame of the scene's first image to that of the image.
        noise: float32 [128, 128], the difference to what the scene usually shows.
        inside: bool [128, 128], where it is known.
    """

    transform: np.ndarray
    noise: np.ndarray
    inside: np.ndarray


class Scene:
    """Images of one scene, aligned to the first of them when they are first needed.

    Args:
        images: At least one image.
    """

    def __init__(self, images: Sequence[Thumbnail]) -> None:
        self._first = images[0]
        self._others = images[1:]
        self._last: tuple[Thumbnail, InScene | None] | None = None

    @functools.cached_property
    def usual(self) -> Usual:
        """What the images show that can be aligned."""
        target, inside = warped(_halved(self._first), IDENTITY)
        aligned = [(target, inside)]
        for other in self._others:
            transform = same_place(self._first.grey, other.grey, IDENTITY)
            if transform is not None:
                found = _fitted(target, _halved(other), transform, _MIN_COMMON)
                if found is not None:
                    aligned.append(found)
        return _usual(aligned)

    def with_one(self, image: Thumbnail) -> InScene | None:
        """Return an image as `with_other` does; the last one is kept for its next pair."""
        last = self._last  # threads share a scene
        if last is None or last[0] is not image:
            self._last = last = image, self.with_other(image, IDENTITY)
        return last[1]

    def with_other(self, image: Thumbnail, start: np.ndarray) -> InScene | None:
        """Return an image aligned to the scene; None if it does not show that after all.

        Args:
            image: The image.
            start: About where it is: a transform from the scene's frame to the image's.
        """
        transform = same_place(self._first.grey, image.grey, start)
        if transform is None:
            return None
        usual = self.usual
        found = _fitted(usual.pixels, _halved(image), transform, _MIN_COMMON / 2, usual.seen)
        if found is None:
            return None
        fitted, inside = found
        return InScene(transform, _fine(fitted - usual.pixels), inside)


def are_copies(one: Thumbnail, other: Thumbnail, scene: Scene | None = None) -> bool:
    """Return whether two images are copies of each other.

    Args:
        one: An image.
        other: Another one, mirrored beforehand if it may be a mirrored copy.
        scene: Other images of the scene that `one` shows; None if none are known.
    """
    for transform in _alignments(one, other):
        if _differ_at_half_the_size(one, other, transform):
            continue
        if scene is not None and not _share_noise(one, other, transform, scene):
            return False
        if _residual(one, other, transform, GREY_SIZE) <= _MAX_RESIDUAL:
            return not _have_own_noise(one, other, transform)
    return False


def _alignments(one: Thumbnail, other: Thumbnail) -> Iterator[np.ndarray]:
    """Yield transforms between two images, the quickest first; the last is the most exact.

    They are float32 [2, 3], from the frame of the first image to that of the second.
    """
    yield IDENTITY
    start = _coarse_alignment(one, other)
    if start is not None and (fine := refined(one.grey, other.grey, start, ALIGNED)) is not None:
        yield fine.transform


def _coarse_alignment(one: Thumbnail, other: Thumbnail) -> np.ndarray | None:
    """Return a first transform between two images; None if they are no copies."""
    found = refined(one.grey, other.grey, IDENTITY, COARSE)
    if found is None or found.correlation < CERTAIN:
        return matched_patches(one.grey, other.grey)
    differ = _differ_at_half_the_size(one, other, found.transform)
    return None if differ else found.transform


def _differ_at_half_the_size(one: Thumbnail, other: Thumbnail, transform: np.ndarray) -> bool:
    """Return whether two images certainly differ: takes a quarter of the time of a close look.

    Of the copies that `benchmarks.near_duplicates` makes none has a residual above 1.9 there.
    """
    return _MAX_RESIDUAL < _residual(one, other, transform, GREY_SIZE // 2) < math.inf


def _residual(one: Thumbnail, other: Thumbnail, transform: np.ndarray, size: int) -> float:
    """Return the largest residual as a multiple of what compression is expected to make there.

    Args:
        one: An image.
        other: Another one.
        transform: From the frame of the first image to that of the second.
        size: Height and width at which they are compared.

    Returns:
        Infinity if they have too little in common, or differ everywhere.
    """
    scale = size / GREY_SIZE
    # What the smaller image cannot show does not count.
    blur = scale * max(1.0, GREY_SIZE / (2 * min(one.side, other.side)))
    left, right = (
        cv2.GaussianBlur(resized(image.grey, size), (0, 0), blur) for image in (one, other)
    )
    left = left.astype(np.float32)
    found = _fitted(left, right, transform, _MIN_COMMON)
    if found is None:
        return math.inf
    fitted, inside = found
    residual = np.where(inside, left - fitted, 0)
    noise = 1.4826 * float(np.median(np.abs(_sampled(residual, inside))))
    if noise > _MAX_NOISE:
        return math.inf
    # Of the smaller gradient: a scratch in one of them must not excuse itself.
    gradient = np.minimum(_gradient(left), _gradient(fitted))
    near = 2 * round(2 * scale) + 1
    block = 2 * round(scale * 8 * GREY_SIZE / max(min(one.side, other.side), 32) / 2) + 1
    expected = (
        1
        + noise / scale
        + scale * _EDGES * cv2.dilate(gradient, np.ones((near, near), np.uint8))
        + scale * _RINGING * cv2.dilate(gradient, np.ones((block, block), np.uint8))
    )
    ratio = np.abs(cv2.blur(residual, (near, near))) / expected
    return float(ratio[inside].max())


def _share_noise(one: Thumbnail, other: Thumbnail, transform: np.ndarray, scene: Scene) -> bool:
    """Return whether two copies differ from other images of their scene in the same way."""
    left = scene.with_one(one)
    right = left and scene.with_other(other, joined(left.transform, transform))
    if left is None or right is None:
        return True  # not the same scene after all
    flat = left.inside & right.inside & scene.usual.flat
    if not flat.any():
        return False
    both = [_clipped(image.noise[flat]) for image in (left, right)]
    if not all(noise.std() for noise in both):
        return False  # a background without noise, such as a border, tells nothing
    return bool(np.corrcoef(both[0], both[1])[0, 1] >= _MIN_SHARED_NOISE)


def _have_own_noise(one: Thumbnail, other: Thumbnail, transform: np.ndarray) -> bool:
    """Return whether two images that look alike have as much noise, and none of it in common.

    So have two pictures that a camera took, but no copies of one. The noise is a second difference
    in both directions where gradients are small (Immerkaer 1996, "Fast noise variance estimation").
    """
    exact = refined(one.grey, other.grey, transform, GREY_SIZE)  # to part of a pixel
    if exact is None:
        return False
    # At most the resolution of the smaller image, of which larger ones show no noise.
    size = min(max(one.side, 64), max(other.side, 64), GREY_SIZE)
    left, right = (
        cv2.GaussianBlur(resized(image.grey, size).astype(np.float32), (0, 0), _FINEST)
        for image in (one, other)
    )
    found = _fitted(left, right, exact.transform, 0)
    if found is None:
        return False
    fitted, inside = found
    gradient = np.maximum(_gradient(left), _gradient(fitted))
    flat = inside & (gradient <= np.median(gradient[inside]))
    noise = [_clipped(_second_difference(pixels)[flat]) for pixels in (left, fitted)]
    weaker, stronger = sorted(values.std() for values in noise)
    if weaker < max(_QUANTIZATION, _MIN_EQUAL_NOISE * stronger):
        return False
    return bool(np.corrcoef(noise[0], noise[1])[0, 1] < _MAX_OWN_NOISE)


def _usual(aligned: Sequence[tuple[np.ndarray, np.ndarray]]) -> Usual:
    """Return what aligned images show, given as pixels and where these are known."""
    seen = np.logical_and.reduce([seen for _, seen in aligned])
    pixels = _median([pixels for pixels, _ in aligned])
    # Away from edges, where noise would correlate through imperfect alignment.
    gradient = _gradient(pixels)
    of_seen = _sampled(gradient, seen)
    return Usual(
        pixels, seen, seen & (gradient <= (np.quantile(of_seen, 0.25) if len(of_seen) else 0))
    )


def _median(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return the median of a few images: `np.median` of many short rows takes ten times as long.

    Sorts every pixel by odd-even transposition.
    """
    rows = list(images)
    for step in range(len(rows)):
        for i in range(step % 2, len(rows) - 1, 2):
            rows[i], rows[i + 1] = cv2.min(rows[i], rows[i + 1]), cv2.max(rows[i], rows[i + 1])
    low, high = rows[(len(rows) - 1) // 2], rows[len(rows) // 2]
    return (low + high) / 2


def _sampled(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return one of every few values [h, w] that are at true places: [n]."""
    return values.reshape(-1)[::_SAMPLED][where.reshape(-1)[::_SAMPLED]]


def _halved(image: Thumbnail) -> np.ndarray:
    """Return an image at half the size, float32 [128, 128].

    Its finest noise, which neither alignment nor compression keeps, is gone.
    """
    smooth = cv2.GaussianBlur(image.grey.astype(np.float32), (0, 0), 1.5)
    return resized(smooth, GREY_SIZE // 2)


def _fine(noise: np.ndarray) -> np.ndarray:
    """Return noise without its local mean, in which a defect must not count."""
    coarse = cv2.blur(noise.clip(-_MAX_NOISE, _MAX_NOISE), (_COARSE_NOISE, _COARSE_NOISE))
    return noise - coarse


def _clipped(noise: np.ndarray) -> np.ndarray:
    """Return values without outliers: a defect in other images of the scene must not count."""
    centred = noise - np.median(noise[::_SAMPLED])
    limit = 3 * 1.4826 * np.median(np.abs(centred[::_SAMPLED]))
    return centred.clip(-limit, limit)


def _fitted(
    target: np.ndarray,
    pixels: np.ndarray,
    transform: np.ndarray,
    least: float,
    known: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return an image in the frame and brightness of another one, and where both are known.

    Args:
        target: float32 [n, n], the other image.
        pixels: uint8 or float32 [n, n], the image.
        transform: From the target's frame to the image's, at `GREY_SIZE`.
        least: Smallest share of the pixels to be known.
        known: bool [n, n], where the target is; None: everywhere.

    Returns:
        float32 and bool [n, n]; None if less is known, or the brightness does not fit.
    """
    moved, inside = warped(pixels, in_frame(transform, len(target) / GREY_SIZE))
    if known is not None:
        inside &= known
    if inside.mean() < least:
        return None
    fitted = _fit_brightness(target, moved, inside)
    return None if fitted is None else (fitted, inside)


def _fit_brightness(
    target: np.ndarray, pixels: np.ndarray, inside: np.ndarray
) -> np.ndarray | None:
    """Return an image with brightness and contrast fitted to another one; None for a bad fit.

    Least squares, once more without outliers: a defect in one of the images must not count.
    """
    x, y = _sampled(pixels, inside), _sampled(target, inside)
    for _ in range(2):
        covariance = float(np.mean((x - x.mean()) * (y - y.mean())))
        # In a nearly blank image the contrast means nothing.
        gain = covariance / spread if (spread := float(x.var())) >= 0.25 else 1.0
        offset = float(y.mean()) - gain * float(x.mean())
        residual = np.abs(y - gain * x - offset)
        keep = residual <= 3 * max(1.4826 * float(np.median(residual)), 0.5)
        x, y = x[keep], y[keep]
    return gain * pixels + offset if 1 / _MAX_GAIN <= gain <= _MAX_GAIN else None


def _second_difference(pixels: np.ndarray) -> np.ndarray:
    kernel = np.array([1, -2, 1], np.float32)
    return cv2.sepFilter2D(pixels, cv2.CV_32F, kernel, kernel)


def _gradient(pixels: np.ndarray) -> np.ndarray:
    return cv2.magnitude(
        cv2.Sobel(pixels, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(pixels, cv2.CV_32F, 0, 1, scale=0.125),
    )
