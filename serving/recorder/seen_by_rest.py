"""What a call by REST says of each image."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from serving.recorder.call import Call
from serving.recorder.seen import CLASSIFY, Seen, Unreadable, pair

_LARGEST_BYTES = 256 * 2**20
_URL_SAFE = str.maketrans("-_", "+/")


def seen_by_rest(call: Call, version: Callable[[Call], int]) -> list[Seen]:
    """Return what a call by REST says; nothing if it does not classify.

    Args:
        call: The call.
        version: Returns the version that answered, which the JSON does not say.

    Raises:
        Unreadable: The answer lacks an output, or the images are not encoded files.
        ValueError, TypeError, KeyError: It is not as TensorFlow Serving writes it.
    """
    assert call.rest is not None
    request = json.loads(_unpacked(call.request, call.rest.request_encoding))
    if request.get("signature_name") not in CLASSIFY:
        return []
    answer = json.loads(_unpacked(call.response, call.rest.response_encoding))
    images = _images(request)
    if "predictions" in answer:
        rows = answer["predictions"]
        if not all(isinstance(row, dict) for row in rows):
            raise Unreadable("the answer has one output")
        columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
    else:
        columns = answer["outputs"]
    outputs = {name: _array(values) for name, values in columns.items()}
    return pair(call, call.rest.model, version(call), images, outputs)


def _images(request: dict[str, Any]) -> list[bytes]:
    rows = request["instances"] if "instances" in request else request["inputs"]
    if isinstance(rows, dict) and "image" in rows:
        rows = rows["image"]
    rows = rows if isinstance(rows, list) else [rows]
    return [_image(row.get("image", row) if isinstance(row, dict) else row) for row in rows]


def _image(value: Any) -> bytes:
    if not isinstance(value, dict) or "b64" not in value:
        raise Unreadable("an image is not sent as b64")
    encoded = value["b64"].translate(_URL_SAFE)
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4))


def _array(values: list[Any]) -> np.ndarray:
    """Return an output; texts as objects, of which those that are not UTF-8 come as b64."""
    decoded = first = _decoded(values)
    while isinstance(first, list) and first:
        first = first[0]
    return np.array(decoded, object if isinstance(first, str | bytes) else None)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(each) for each in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding.lower() != "gzip":
        return body
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    unpacked = unpacker.decompress(body, _LARGEST_BYTES)
    if not unpacker.eof:
        raise Unreadable("the gzip is incomplete or too large")
    return unpacked
