"""Where in an image the model sees what it says: a heat map, drawn over the picture."""

from __future__ import annotations

import io

import numpy as np
from starlette.responses import Response
from starlette.routing import Route

from images.heat_map import draw
from pipeline.ui.answering import Values, endpoint, text
from pipeline.ui.workplace import Workplace


def of_class(place: Workplace, values: Values) -> Response:
    """Return the picture of an uploaded image with the places that speak for a class."""
    image = place.uploads.read(text(values, "id"))
    found = place.served.client().explain(image, label=str(values.get("label", "")))
    return _drawn(found.picture, found.map)


def of_pair(place: Workplace, values: Values) -> Response:
    """Return the picture of one of two uploaded images with the places that speak for "same"."""
    image, other = (place.uploads.read(text(values, name)) for name in ("id", "other"))
    found = place.served.client().explain(image, other)
    return _drawn(found.picture, found.map)


def _drawn(picture: bytes, values: np.ndarray) -> Response:
    file = io.BytesIO()
    draw(picture, values).save(file, "PNG")
    headers = {"Cache-Control": "private, max-age=600"}
    return Response(file.getvalue(), headers=headers, media_type="image/png")


ROUTES = [
    Route("/pictures/explained", endpoint(of_class)),
    Route("/pictures/explained-pair", endpoint(of_pair)),
]
