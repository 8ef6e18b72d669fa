"""Missed copies and false joins of near-duplicates: `python -m benchmarks.near_duplicates FOLDER`.

FOLDER holds class folders of real images. Copies of some of them are made in several ways and added
one way at a time; a copy is missed if no pair of it and its original is found. Each pair of images
that are not made from each other is a false join, unless FOLDER itself holds copies. Without FOLDER
the images are pictures of a fixed camera: one scene with scratches and dents, a few pixels of play,
changing light and noise. `--count` sets how many, and `--only-join` only looks for false joins and
measures the time.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.report import report
from components.image_example_gen.copy_steps import verified
from images.canonical import MAX_PIXELS, canonical_image
from images.copy_candidates import Described, Statistics, candidates, descriptor

Pixels = np.ndarray
SIZE = 300


def jpeg(quality: int) -> Callable[[Pixels, Any], Pixels]:
    """Return what recompresses BGR pixels."""
    option = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return lambda p, _: cv2.imdecode(cv2.imencode(".jpg", p, option)[1], cv2.IMREAD_COLOR)


def scaled(factor: float) -> Callable[[Pixels, Any], Pixels]:
    """Return what scales pixels."""
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return lambda p, _: cv2.resize(p, None, fx=factor, fy=factor, interpolation=how)


def cropped(share: float) -> Callable[[Pixels, Any], Pixels]:
    """Return what cuts a share of the height and of the width off, at random sides."""

    def crop(pixels: Pixels, rng: Any) -> Pixels:
        height, width = (round(side * (1 - share)) for side in pixels.shape[:2])
        top = int(rng.integers(0, pixels.shape[0] - height + 1))
        left = int(rng.integers(0, pixels.shape[1] - width + 1))
        return np.ascontiguousarray(pixels[top : top + height, left : left + width])

    return crop


def mirrored(pixels: Pixels, _: Any) -> Pixels:
    """Return mirrored pixels."""
    return np.ascontiguousarray(pixels[:, ::-1])


def darker(pixels: Pixels, _: Any) -> Pixels:
    """Return pixels of less contrast and another brightness."""
    return cv2.convertScaleAbs(pixels, alpha=0.85, beta=15)


def all_of_it(pixels: Pixels, rng: Any) -> Pixels:
    """Return pixels that were mirrored, darkened, cropped, scaled and recompressed."""
    for step in (mirrored, darker, cropped(0.03), scaled(0.7), jpeg(70)):
        pixels = step(pixels, rng)
    return pixels


KINDS: dict[str, Callable[[Pixels, Any], Pixels]] = {
    **{f"JPEG {quality}": jpeg(quality) for quality in (95, 75, 50, 30)},
    **{f"scaled {factor:g}": scaled(factor) for factor in (0.5, 0.7, 2)},
    **{f"cropped {share:.0%}": cropped(share) for share in (0.01, 0.02, 0.03, 0.05, 0.08)},
    "mirrored": mirrored,
    "darker": darker,
    "all of it": all_of_it,
}


def write_fixed_camera(folder: Path, count: int) -> None:
    """Write pictures of one scene as JPEG: good, scratches and dents in equal numbers."""
    from sklearn.datasets import load_sample_image

    scene = load_sample_image("china.jpg")[:420, :420, ::-1]
    scene = cv2.resize(scene, (SIZE, SIZE)).astype(np.float32)
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = scene.copy()
        x, y = (int(v) for v in rng.integers(SIZE // 10, SIZE - SIZE // 10, 2))
        dx, dy = (int(v) for v in rng.integers(-SIZE // 8, SIZE // 8, 2))
        label = ("good", "scratch", "dent")[number % 3]
        if label == "scratch":
            cv2.line(pixels, (x, y), (x + dx, y + dy), (245, 245, 245), 2)
        if label == "dent":
            cv2.circle(pixels, (x, y), 7, (30, 30, 30), -1)
        play = np.array([[1, 0, rng.normal()], [0, 1, rng.normal()]])
        pixels = cv2.warpAffine(pixels, play, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
        pixels = pixels * (1 + rng.normal(0, 0.05)) + rng.normal(0, 4, pixels.shape)
        path = folder / label / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels.clip(0, 255).astype(np.uint8))


def joined(root: Path, described: Sequence[Described]) -> list[tuple[str, str]]:
    """Return the pairs that are found, without Beam."""
    statistics = Statistics()
    for image in described:
        statistics.add(image.path, image.descriptor)
    return [
        (copy.one[0], copy.other[0])
        for found in candidates(described, statistics.whitening())
        for copy in verified(found, str(root), MAX_PIXELS)
    ]


def describe(root: Path, path: Path) -> Described:
    """Return an image as the search takes it."""
    image = canonical_image(path.read_bytes())
    return Described(str(path.relative_to(root)), path.parent.name, descriptor(image.grey))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=240, help="pictures of a fixed camera")
    parser.add_argument("--copies", type=int, default=40, help="copies of each kind")
    parser.add_argument("--only-join", action="store_true", help="no copies, only false joins")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        root = options.folder or Path(temporary)
        if options.folder is None:
            write_fixed_camera(root, options.count)
        files = sorted(path for path in root.glob("*/*") if path.is_file())
        start = time.process_time()
        images = [describe(root, path) for path in files]
        read = time.process_time()
        false = joined(root, images)
        end = time.process_time()
        rows: list[dict[str, Any]] = [{"copies": "none", "missed": None, "of": None}]
        for kind, make in {} if options.only_join else KINDS.items():
            rows.append(measure(root, files, images, kind, make, options.copies))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        notes = [
            f"{len(files):,} images: read in {read - start:.1f} s, compared in {end - read:.1f} s "
            f"of CPU time, {memory:.0f} MB.",
            f"{len(false)} pairs are joined without any copy: {false[:5]}",
        ]
        report("Near-duplicates", rows, options.json, notes)


def measure(
    root: Path,
    files: Sequence[Path],
    images: Sequence[Described],
    kind: str,
    make: Callable[[Pixels, Any], Pixels],
    count: int,
) -> dict[str, Any]:
    """Return how many copies of a kind are missed."""
    rng = np.random.default_rng(1)
    chosen = rng.choice(len(files), min(count, len(files)), replace=False)
    with tempfile.TemporaryDirectory() as temporary:
        copies = []
        for i in chosen:
            path = Path(temporary) / files[i].parent.name / f"{i}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), make(cv2.imread(str(files[i])), rng))
            # An absolute path, which joining to the root leaves as it is.
            copies.append(describe(Path("/"), path)._replace(path=str(path)))
        found = {frozenset(pair) for pair in joined(root, [*images, *copies])}
        missed = sum(
            frozenset((images[i].path, copy.path)) not in found
            for i, copy in zip(chosen, copies, strict=True)
        )
    return {"copies": kind, "missed": missed, "of": len(chosen)}


if __name__ == "__main__":
    main()
