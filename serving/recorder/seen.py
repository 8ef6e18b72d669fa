"""What a call says of each image: the answer of the model, and the image itself."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from serving.recorder.call import Call
from serving.wire import serving_pb2 as wire
from serving.wire.tensors import to_array
from traffic.rows import Answer

CLASSIFY = ("classify", "classify_at")
"""Signatures whose answers are recorded."""


class Unreadable(Exception):
    """A call to classify whose answer does not say what is recorded."""


class Seen(NamedTuple):
    """An image and the answer about it."""

    answer: Answer
    image: bytes


def seen_by_grpc(call: Call) -> list[Seen]:
    """Return what a call by gRPC says; nothing if it does not classify.

    Raises:
        Unreadable: The answer lacks an output.
        ValueError, TypeError: It is no message, or holds no tensors of images.
    """
    request = wire.PredictRequest.FromString(call.request)
    if request.model_spec.signature_name not in CLASSIFY:
        return []
    response = wire.PredictResponse.FromString(call.response)
    outputs = {name: to_array(tensor) for name, tensor in response.outputs.items()}
    images = to_array(request.inputs["image"]).ravel().tolist()
    spec = response.model_spec
    return pair(call, spec.name or request.model_spec.name, spec.version.value, images, outputs)


def pair(
    call: Call,
    model: str,
    version: int,
    images: Sequence[bytes],
    outputs: Mapping[str, np.ndarray],
) -> list[Seen]:
    """Return each image with the answer about it.

    Args:
        call: Where both were found.
        model: The model's name.
        version: The version that answered.
        images: Encoded images.
        outputs: Outputs of `classify`, of which the client may have asked for some only.

    Raises:
        Unreadable: There is no label for each image.
    """
    labels = outputs.get("label")
    if labels is None and (classes := outputs.get("classes")) is not None:
        labels = classes[:, 0]
    count = len(images)
    if labels is None or any(len(output) != count for output in outputs.values()):
        raise Unreadable("the answer has no label for each image")
    scores = outputs.get("scores", np.empty([count, 0]))
    probabilities = outputs.get("probabilities", np.empty([count, 0]))
    known = outputs.get("known", np.ones(count, bool))
    valid = outputs.get("valid", np.ones(count, bool))
    reasons = outputs.get("reason", [b""] * count)
    vectors = outputs.get("embedding")
    return [
        Seen(
            Answer(
                time=call.time,
                model=model,
                version=int(version),
                label=text(labels[i]) if valid[i] else "",
                known=bool(known[i] and valid[i]),
                valid=bool(valid[i]),
                reason=text(reasons[i]),
                score=_at(scores[i], 0) if valid[i] else math.nan,
                margin=_at(scores[i], 0) - _at(scores[i], 1) if valid[i] else math.nan,
                probability=_at(probabilities[i], 0) if valid[i] else math.nan,
                embedding=None if vectors is None or not valid[i] else vectors[i],
                digest=hashlib.sha256(image).hexdigest(),
                request=f"{call.id}.{i}",
            ),
            image,
        )
        for i, image in enumerate(images)
    ]


def text(value: Any) -> str:
    """Return a class's name or a reason; bytes that are not UTF-8 are escaped, as in the client."""
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "backslashreplace")


def _at(values: np.ndarray, index: int) -> float:
    return float(values[index]) if len(values) > index else math.nan
