"""Images for tests, made on the spot."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def picture(label: int, number: int, size: int = 32, spread: int = 110) -> Image.Image:
    """A smooth picture; those of a label are alike, the more so the smaller `spread` is."""
    of_class = np.random.default_rng(label).integers(0, 256, (4, 4, 3))
    own = np.random.default_rng((label, number)).integers(-spread, spread + 1, (7, 7, 3))
    coarse = Image.fromarray(of_class.astype("uint8")).resize((7, 7), Image.Resampling.BICUBIC)
    pixels = np.clip(np.asarray(coarse, int) + own, 0, 255).astype("uint8")
    return Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write_classes(
    root: Path, classes: int = 3, each: int = 10, size: int = 32, spread: int = 110
) -> None:
    """`root`/class-<label>/<number>.png."""
    for label in range(classes):
        folder = root / f"class-{label}"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            (folder / f"{number}.png").write_bytes(encoded(picture(label, number, size, spread)))
