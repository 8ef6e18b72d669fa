"""Pictures of a fixed camera, and copies of pictures, for tests of near-duplicates."""

import cv2
import numpy as np


def photograph(seed, size=256):
    """Noise of several scales: as varied as a photograph, and no two alike."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((size, size), np.float32)
    for cells, weight in ((4, 0.6), (9, 0.3), (33, 0.1)):
        coarse = rng.integers(0, 256, (cells, cells)).astype(np.float32)
        pixels += weight * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    return pixels.clip(0, 255).astype("uint8")


def shots(count, size=300, noise=4.0):
    """Pictures of one scene with a few pixels of play, light and noise: good, scratch, dent."""
    scene, rng = photograph(1000, size).astype(np.float32), np.random.default_rng(0)
    found = []
    for number in range(count):
        pixels = scene.copy()
        x, y = (int(v) for v in rng.integers(size // 6, size - size // 6, 2))
        if number % 3 == 1:
            cv2.line(pixels, (x, y), (x + size // 10, y + size // 14), 250, 2)
        if number % 3 == 2:
            cv2.circle(pixels, (x, y), size // 43, 5, -1)
        play = np.float32([[1, 0, rng.normal()], [0, 1, rng.normal()]])
        pixels = cv2.warpAffine(pixels, play, (size, size), borderMode=cv2.BORDER_REPLICATE)
        pixels = pixels * (1 + rng.normal(0, 0.05)) + rng.normal(0, noise, pixels.shape)
        found.append(pixels.clip(0, 255).astype("uint8"))
    return found


def recompressed(pixels, quality=50):
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def cropped(pixels, share):
    height, width = pixels.shape
    top, left = round(height * share), round(width * share / 2)
    return np.ascontiguousarray(pixels[top:, left : width - left])


COPIES = {
    "recompressed": recompressed,
    "smaller": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "larger": lambda p: cv2.resize(p, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
    "cropped": lambda p: cropped(p, 0.02),
    "cropped by 7 %": lambda p: cropped(p, 0.07),
    "brighter": lambda p: cv2.convertScaleAbs(p, alpha=0.85, beta=20),
    "all of it": lambda p: recompressed(
        cv2.convertScaleAbs(cropped(p, 0.02), alpha=0.9, beta=12), 75
    ),
}
