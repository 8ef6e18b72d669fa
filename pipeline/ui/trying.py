"""The page *Try*: what the model says of an image, or of two."""

from __future__ import annotations

import math
import time
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from base.errors import UserError
from base.printable import printable
from pipeline.ui.answering import Values, as_json, endpoint, problem, read_body, text
from pipeline.ui.pictures import picture, side_asked
from pipeline.ui.support import NoModel
from pipeline.ui.uploads import MOST_BYTES, file_name
from pipeline.ui.workplace import Workplace
from serving.answers import Classification, refused_by_the_model
from serving.query_image import ImageError
from traffic.rows import Kept

_MOST_CLASSES = 8


async def upload(request: Request) -> Response:
    """Keep an image that a browser sends as the request's body, and describe it."""
    name = file_name(request.query_params.get("name", ""))
    too_large = (
        f"{name} has more than {MOST_BYTES // 2**20} MB; scale it down, or save it as a JPEG"
    )
    place: Workplace = request.app.state.place
    from starlette.concurrency import run_in_threadpool

    async with request.app.state.uploading:
        try:
            data = await read_body(request, MOST_BYTES, too_large)
            found = await run_in_threadpool(place.uploads.add, data, name)
        except ClientDisconnect:
            return Response(status_code=400)
        except UserError as error:
            return problem(error)
    return as_json(found._asdict())


def upload_picture(place: Workplace, values: Values) -> Response:
    """Return a picture of an uploaded image."""
    return picture(place.uploads.read(text(values, "id")), side_asked(values))


def support_picture(place: Workplace, values: Values) -> Response:
    """Return a picture of a support image."""
    return picture(place.support.image(text(values, "name")), side_asked(values), unchanging=False)


def classify(place: Workplace, values: Values) -> Values:
    """Return the model's answer about an uploaded image."""
    found = place.uploads.get(text(values, "id"))
    return answer_about(place, place.uploads.read(found.id), found.name)


def answer_about(place: Workplace, image: bytes, name: str) -> Values:
    """Return the model's answer about an image.

    Args:
        place: Has the model.
        image: The encoded image.
        name: What messages call it.

    Raises:
        ImageError: The image, or the model, cannot be used.
        ServingError: There was no answer.
    """
    [found] = place.served.client().classify_files([image])
    if found.answer is None:
        raise ImageError(found.problem.replace(f"an image of {len(image)} bytes", name))
    return {**said(found.answer), "version": found.version}


def said(answer: Classification) -> Values:
    """Return an answer as values of JSON."""
    shares = answer.probabilities
    best = [
        {"name": name, "score": score, "probability": shares.get(name)}
        for name, score in list(answer.scores.items())[:_MOST_CLASSES]
    ]
    scores = [*answer.scores.values(), -math.inf, -math.inf]
    return {
        "label": answer.label,
        "known": answer.known,
        "probability": shares.get(answer.label),
        "margin": scores[0] - scores[1],
        "classes": best,
        "names": sorted(answer.scores),
        "nearest": [printable(name) for name in answer.nearest],
    }


def compare(place: Workplace, values: Values) -> Values:
    """Return whether two uploaded images are of the same class."""
    left, right = (place.uploads.get(text(values, side)) for side in ("left", "right"))
    images = [place.uploads.read(one.id) for one in (left, right)]
    [found] = place.served.client().compare([images[0]], [images[1]])
    if not found.valid:
        raise ImageError(f"{left.name} or {right.name}: {refused_by_the_model(found.reason)}")
    return {"similarity": found.similarity, "same": found.same, "version": found.version}


def thresholds(place: Workplace, values: Values) -> dict[str, float]:
    """Return the thresholds of a version; none if its files are not on this machine."""
    version = text(values, "version")
    try:
        return place.support.listing(int(version)).thresholds if version.isdecimal() else {}
    except NoModel:
        return {}


def keep(place: Workplace, values: Values) -> Values:
    """Put an uploaded image into the review queue."""
    found = place.uploads.get(text(values, "id"))
    with place.store() as store:
        digest = store.add_image(
            place.uploads.read(found.id), Kept.ADDED, time.time(), source=found.name
        )
    return {"digest": digest}


def status(place: Workplace, values: Values) -> dict[str, Any]:
    """Return whether the model answers."""
    return place.served.status()._asdict()


ROUTES = [
    Route("/api/status", endpoint(status)),
    Route("/api/uploads", upload, methods=["POST"]),
    Route("/api/classify", endpoint(classify)),
    Route("/api/compare", endpoint(compare)),
    Route("/api/thresholds", endpoint(thresholds)),
    Route("/api/keep", endpoint(keep), methods=["POST"]),
    Route("/pictures/uploads/{id}", endpoint(upload_picture)),
    Route("/pictures/support", endpoint(support_picture)),
]
