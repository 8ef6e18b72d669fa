"""Sample images that need no download: scikit-learn's handwritten digits as PNG files.

E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998; 8 x 8 pixels, enlarged.
"""

from __future__ import annotations

from pathlib import Path

from base.errors import UserError

PER_CLASS = 40
SIZE = 32


class SampleDataError(UserError):
    """A folder that sample images would be mixed up in."""


def write_digits(
    folder: Path, per_class: int = PER_CLASS, size: int = SIZE, force: bool = False
) -> tuple[int, int]:
    """Write the first digits of each class as `folder`/<digit>/<number>.png.

    A file that is there already, with the same content, is not touched: its time of change tells
    the pipeline that nothing is new.

    Args:
        folder: Made where it is missing.
        per_class: Images of each class, at most about 175.
        size: Height and width in pixels.
        force: Write even where `folder` holds other things.

    Returns:
        How many files were written, and how many were there.

    Raises:
        SampleDataError: `folder` is a file, or holds other things and `force` is off.
    """
    if folder.is_file():
        raise SampleDataError(f"{folder} is a file; name a folder")
    images = dict(_digits(per_class, size))
    wanted = {folder / path for path in images}
    if folder.is_dir() and not force:
        others = [p for p in folder.rglob("*") if p.is_file() and p not in wanted]
        if others:
            raise SampleDataError(
                f"{folder} holds other files, such as {others[0].relative_to(folder)}; name "
                "another folder, or use --force"
            )
    written = 0
    for path, data in images.items():
        target = folder / path
        if target.is_file() and target.read_bytes() == data:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        written += 1
    return written, len(images) - written


def _digits(per_class: int, size: int):
    import cv2
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    for label in range(10):
        for number, image in enumerate(digits.images[digits.target == label][:per_class], 1):
            pixels = np.rint(image * (255 / 16)).astype(np.uint8)
            pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_CUBIC)
            yield Path(str(label), f"{number:03d}.png"), cv2.imencode(".png", pixels)[1].tobytes()
