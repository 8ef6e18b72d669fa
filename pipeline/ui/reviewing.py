"""The page *Review*: images that people look at, and what they say of them."""

from __future__ import annotations

import time

from starlette.responses import Response
from starlette.routing import Route

from base.printable import printable
from pipeline.review.suspects import add_suspects
from pipeline.ui.answering import BadRequest, NotFound, Values, endpoint, text
from pipeline.ui.pictures import picture, side_asked
from pipeline.ui.support import NoModel
from pipeline.ui.trying import answer_about
from pipeline.ui.workplace import Workplace
from review.class_names import class_label
from review.queue import review_queue
from storage.lineage import LineageError, read_lineage
from traffic.rows import Answer, Decision, Review, StoredImage

_MOST_QUEUED = 200
_LONGEST_NAME = 100


def queue(place: Workplace, values: Values) -> Values:
    """Return the next images to review, and the classes that are named already."""
    with place.store() as store:
        pending = len(store.images(unreviewed=True))
        reviews = store.reviews()
        items = [_item(*one) for one in review_queue(store, _MOST_QUEUED)]
    named = {review.label for review in reviews if review.label}
    named |= {item["given"] for item in items if item["given"]}
    named |= {item["recorded"]["label"] for item in items if item["recorded"]}
    named |= _classes_of_the_model(place)
    return {
        "items": items,
        "pending": pending,
        "reviewed": len(reviews),
        "classes": sorted(named - {""}),
    }


def _classes_of_the_model(place: Workplace) -> set[str]:
    """Return the classes of the newest version; empty if it is not on this machine."""
    try:
        lineage = read_lineage(place.support.version())
    except (NoModel, LineageError, OSError):
        return set()
    return set(lineage.classes) if lineage else set()


def _item(image: StoredImage, answer: Answer | None) -> Values:
    return {
        "digest": image.digest,
        "kept": image.kept.value,
        "time": image.time,
        "source": printable(image.source),
        "given": image.given_label,
        "recorded": answer and _recorded(answer),
    }


def _recorded(answer: Answer) -> Values:
    return {
        "label": answer.label,
        "known": answer.known,
        "probability": answer.probability,
        "other": answer.other_label,
    }


def image(place: Workplace, values: Values) -> Response:
    """Return a picture of a kept image."""
    return picture(_content(place, text(values, "digest")), side_asked(values))


def answer(place: Workplace, values: Values) -> Values:
    """Return what the model says of a kept image now."""
    digest = text(values, "digest")
    found = answer_about(place, _content(place, digest), f"image {digest[:12]}")
    return found


def _content(place: Workplace, digest: str) -> bytes:
    with place.store() as store:
        path = store.image_path(digest)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"image {digest[:12]}: is not kept (any more)") from error


def review(place: Workplace, values: Values) -> Values:
    """Keep a decision."""
    try:
        decision = Decision(values.get("decision"))
    except ValueError as error:
        allowed = ", ".join(one.value for one in Decision)
        found = printable(str(values.get("decision")))[:_LONGEST_NAME]
        raise BadRequest(f"decision: {found!r} is none of {allowed}") from error
    label = class_label(text(values, "label")) if decision is Decision.LABEL else ""
    reviewer = str(values.get("reviewer", ""))[:_LONGEST_NAME]
    said = Review(text(values, "digest"), time.time(), decision, label, reviewer)
    with place.store() as store:
        store.review(said, replace=values.get("replace") is True)
    return {}


def undo(place: Workplace, values: Values) -> Values:
    """Remove a decision."""
    with place.store() as store:
        store.undo_review(text(values, "digest"))
    return {}


def suspects(place: Workplace, values: Values) -> Values:
    """Add the suspects and errors of the last judgement to the queue."""
    with place.store() as store:
        return add_suspects(place.settings, store)._asdict()


ROUTES = [
    Route("/api/queue", endpoint(queue)),
    Route("/api/review", endpoint(review), methods=["POST"]),
    Route("/api/suspects", endpoint(suspects), methods=["POST"]),
    Route("/api/undo", endpoint(undo), methods=["POST"]),
    Route("/api/review/{digest}", endpoint(answer)),
    Route("/pictures/kept/{digest}", endpoint(image)),
]
