"""Draws heat maps over pictures: orange places speak for an answer, blue ones against it."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

FOR, AGAINST = (230, 97, 1), (33, 102, 172)
"""Colours that people with colour blindness can tell apart."""

SIDE = 320
"""The longer side, in pixels, of a drawn picture."""

_OPAQUE = 0.7
_GAP = 8


def draw(picture: bytes, values: np.ndarray, largest: float | None = None) -> Image.Image:
    """Return a picture in grey, with a map over it.

    Args:
        picture: Encoded; the map covers all of it.
        values: float [rows, columns].
        largest: The magnitude that is drawn at full strength; None: the map's own largest.
    """
    below = _picture(picture).convert("L").convert("RGB")
    largest = float(np.abs(values).max()) if largest is None else largest
    strength = np.asarray(values, "float32") / (largest or 1.0)
    smooth = np.asarray(
        Image.fromarray(strength).resize(below.size, Image.Resampling.BICUBIC)
    ).clip(-1, 1)
    colour = np.where(smooth[..., None] > 0, FOR, AGAINST)
    opacity = _OPAQUE * np.abs(smooth)[..., None]
    mixed = np.asarray(below) * (1 - opacity) + colour * opacity
    return Image.fromarray(mixed.round().astype("uint8"))


def side_by_side(pairs: Sequence[tuple[bytes, np.ndarray]]) -> Image.Image:
    """Return a row for each picture: itself, and with its map over it. All have one scale.

    Args:
        pairs: Pictures, encoded, and their maps.
    """
    largest = max(float(np.abs(values).max()) for _, values in pairs)
    rows = [(_picture(data), draw(data, values, largest)) for data, values in pairs]
    width = max(2 * one.width + _GAP for one, _ in rows)
    height = sum(one.height for one, _ in rows) + _GAP * (len(rows) - 1)
    sheet, top = Image.new("RGB", (width, height), "white"), 0
    for plain, drawn in rows:
        sheet.paste(plain, (0, top))
        sheet.paste(drawn, (plain.width + _GAP, top))
        top += plain.height + _GAP
    return sheet


def _picture(data: bytes) -> Image.Image:
    """Return a picture, RGB, with its longer side `SIDE`."""
    with Image.open(io.BytesIO(data)) as image:
        scale = SIDE / max(image.size)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        smooth = Image.Resampling.BICUBIC if scale < 4 else Image.Resampling.NEAREST
        return image.convert("RGB").resize(size, smooth)
