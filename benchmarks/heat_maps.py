"""How often the strongest place of a heat map is the defect, whose place is known.

    python -m benchmarks.heat_maps ENCODER --each 20 --tested 30

ENCODER is a pretrained Keras model (`.keras`) for 224-pixel RGB images that averages its feature
map. Two kinds of surfaces are generated, each good, with a scratch and with a dent at a random
place: `fixed camera`, one scene with a little play, light and noise; `steel`, another piece of a
rough surface in each picture. The default recipe is trained on `--each` images of each class. Of
`--tested` other images of each defect:

- class: the maximum of the map for the image's own class;
- pair: the minimum of the map for a comparison with a good image;
- random, centre: how often a random place, or the middle, is the defect;
- near: the same if places beside the defect count too, whose fields of view hold it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks import frozen_encoder
from benchmarks.pictures import SIZE
from benchmarks.report import report

GOOD, SCRATCH, DENT = "good", "scratch", "dent"
CLASSES = (GOOD, SCRATCH, DENT)


class Surfaces(NamedTuple):
    """Generated images of a surface.

    Attributes:
        pixels: uint8 [n, 224, 224, 3].
        labels: str [n].
        boxes: int [n, 4], the defects: left, top, right, bottom; of a good one, nothing.
    """

    pixels: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray


def _noise(rng: np.random.Generator, scales: list[tuple[int, int, float]]) -> np.ndarray:
    """Return a surface float32 [224, 224] of noise of several sizes (rows, columns, weight)."""
    pixels = np.zeros((SIZE, SIZE), np.float32)
    for rows, columns, weight in scales:
        coarse = rng.uniform(0, 255, (rows, columns)).astype(np.float32)
        pixels += weight * cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return pixels


SCENE = _noise(np.random.default_rng(1000), [(4, 4, 0.6), (9, 9, 0.3), (33, 33, 0.1)])


def _fixed_camera(rng: np.random.Generator) -> np.ndarray:
    play = np.array([[1, 0, rng.normal()], [0, 1, rng.normal()]], np.float32)
    moved = cv2.warpAffine(SCENE, play, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    return moved * (1 + rng.normal(0, 0.05))


def _steel(rng: np.random.Generator) -> np.ndarray:
    # Rolled: longer in one direction.
    rough = _noise(rng, [(6, 3, 0.5), (60, 8, 0.25), (224, 40, 0.25)])
    return 128 + (rough - rough.mean()) * rng.uniform(0.5, 0.9)


SURFACES = {"fixed camera": _fixed_camera, "steel": _steel}


def generate(surface: str, each: int, seed: int) -> Surfaces:
    """Return `each` pictures of each class."""
    rng = np.random.default_rng(seed)
    pixels, boxes = [], []
    labels = np.repeat(CLASSES, each)
    for label in labels:
        picture = np.ascontiguousarray(SURFACES[surface](rng), np.float32)
        x, y = (int(v) for v in rng.integers(24, SIZE - 24, 2))
        box = (0, 0, 0, 0)
        if label == SCRATCH:
            angle, half = rng.uniform(0, np.pi), rng.uniform(10, 18)
            dx, dy = int(half * np.cos(angle)), int(half * np.sin(angle))
            cv2.line(picture, (x - dx, y - dy), (x + dx, y + dy), (245,), 2, cv2.LINE_AA)
            box = (x - abs(dx), y - abs(dy), x + abs(dx) + 1, y + abs(dy) + 1)
        if label == DENT:
            radius = int(rng.integers(6, 11))
            cv2.circle(picture, (x, y), radius, (15,), -1, cv2.LINE_AA)
            box = (x - radius, y - radius, x + radius + 1, y + radius + 1)
        grey = (picture + rng.normal(0, 4, picture.shape)).clip(0, 255).astype("uint8")
        pixels.append(np.repeat(grey[..., None], 3, axis=2))
        boxes.append(box)
    return Surfaces(np.stack(pixels), labels, np.array(boxes))


def hits(box: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return which places touch a defect: bool [rows, columns]."""
    left, top, right, bottom = box
    x, y = np.arange(columns + 1) * SIZE / columns, np.arange(rows + 1) * SIZE / rows
    across, down = (x[1:] > left) & (x[:-1] < right), (y[1:] > top) & (y[:-1] < bottom)
    return down[:, None] & across


def measure(surface: str, encoder: Path, each: int, tested: int, seed: int) -> list[dict[str, Any]]:
    """Return the figures of each defect of a surface."""
    import tensorflow as tf

    from judging.classifier import nearest_centroid
    from trainer.export.place_values import PlaceValues, encoding
    from trainer.export.support_set import SupportSet
    from trainer.network.encoder_parts import encoder_parts

    drawn = generate(surface, each, seed)
    trained = frozen_encoder.train(drawn.pixels, drawn.labels, encoder, seed)
    parts = encoder_parts(trained.model)
    if parts is None:
        raise SystemExit(f"{encoder}: does not average its feature map")
    support_labels, values = trained.support.labels, PlaceValues(parts)
    support = SupportSet(
        trained.support_embeddings,
        support_labels,
        trained.support.sources,
        trained.thresholds.scored_by,
    )
    encode = encoding(trained.model, parts)
    others = generate(surface, tested, seed + 1000)
    good = encode(tf.constant(others.pixels[others.labels == GOOD], tf.float32))
    rows = []
    for defect in (SCRATCH, DENT):
        here = others.labels == defect
        encoded = encode(tf.constant(others.pixels[here], tf.float32))
        toward = support.toward(encoded.embedding, tf.fill([tested], defect))
        of_class = values(encoded, toward.direction).numpy()
        of_pair = values(encoded, good.embedding).numpy()
        touched = np.stack([hits(box, *of_class.shape[1:]) for box in others.boxes[here]])
        flat, number = touched.reshape(tested, -1), np.arange(tested)
        grown = [cv2.dilate(one.astype("uint8"), np.ones((3, 3), np.uint8)) for one in touched]
        near = np.stack(grown).reshape(tested, -1) > 0
        strongest = of_class.reshape(tested, -1).argmax(1)
        weakest = of_pair.reshape(tested, -1).argmin(1)
        guess = nearest_centroid(
            trained.support_embeddings, support_labels, encoded.embedding.numpy()
        )
        rows.append(
            {
                "surface": surface,
                "defect": defect,
                "accuracy": float(np.mean(guess == defect)),
                "class": float(flat[number, strongest].mean()),
                "pair": float(flat[number, weakest].mean()),
                "random": float(flat.mean()),
                "class, near": float(near[number, strongest].mean()),
                "pair, near": float(near[number, weakest].mean()),
                "random, near": float(near.mean()),
                "centre": float(touched[:, of_class.shape[1] // 2, of_class.shape[2] // 2].mean()),
            }
        )
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--tested", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if not arguments.encoder.is_file():
        parser.error(f"{arguments.encoder}: there is no such file; name a pretrained encoder")
    rows = [
        row
        for surface in SURFACES
        for row in measure(
            surface, arguments.encoder, arguments.each, arguments.tested, arguments.seed
        )
    ]
    note = f"Share of {arguments.tested} images whose strongest place touches the defect."
    report("Heat maps on generated defects", rows, arguments.json, [note])


if __name__ == "__main__":
    main()
