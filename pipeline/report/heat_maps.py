"""Heat maps of the most confident errors, as pictures of the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from components.judge.heat_maps import HeatMaps
from images.heat_map import draw

_SIDE = 160


class Drawn(NamedTuple):
    """Pictures as data URIs.

    Attributes:
        predicted: With the map for the predicted class.
        own: With the map for the image's own class; empty if the model does not know it.
    """

    predicted: str
    own: str


def drawn(maps: Mapping[str, HeatMaps]) -> dict[str, Drawn]:
    """Return the pictures by image id; both of an image have one scale."""
    found = {}
    for id_, one in maps.items():
        largest = float(np.nanmax(np.abs([one.predicted, one.own])))
        known = bool(np.isfinite(one.own).all())
        found[id_] = Drawn(
            _uri(one.picture, one.predicted, largest),
            _uri(one.picture, one.own, largest) if known else "",
        )
    return found


def _uri(picture: bytes, values: np.ndarray, largest: float) -> str:
    small, file = draw(picture, values, largest), io.BytesIO()
    small.thumbnail((_SIDE, _SIDE))
    small.save(file, "WEBP", quality=75)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
