"""Pictures of images that any browser shows: upright, in sRGB, of eight bits, not too large."""

from __future__ import annotations

import io
from typing import Any

from starlette.responses import Response

from pipeline.report.pictures import decoded
from serving.query_image import ImageError, canonical_query

SIDES = (160, 480, 1280)
"""Longer sides that can be asked for, in pixels."""

_TINY = 64
"""Images up to this side stay PNG: JPEG would blur them."""

_FOR_EVER = "private, max-age=31536000, immutable"
_FOR_A_WHILE = "private, max-age=600"


def side_asked(values: dict[str, Any]) -> int:
    """Return the side that a request asks for: the next of `SIDES`."""
    asked = str(values.get("side", ""))
    number = int(asked) if asked.isdigit() else SIDES[1]
    return next((side for side in SIDES if side >= number), SIDES[-1])


def picture(data: bytes, side: int, unchanging: bool = True) -> Response:
    """Return a picture of an encoded image.

    Args:
        data: A file's bytes.
        side: Maximum longer side, in pixels; smaller images keep their size.
        unchanging: Whether the address always gives this image.

    Raises:
        ImageError: It cannot be read.
    """
    image = decoded(canonical_query(data), None, side)
    if image is None:
        raise ImageError("the image cannot be shown")
    image.thumbnail((side, side))
    file = io.BytesIO()
    if max(image.size) <= _TINY:
        kind = "png"
        image.save(file, "PNG")
    else:
        kind = "jpeg"
        image.save(file, "JPEG", quality=85)
    headers = {"Cache-Control": _FOR_EVER if unchanging else _FOR_A_WHILE}
    return Response(file.getvalue(), headers=headers, media_type=f"image/{kind}")
