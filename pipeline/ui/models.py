"""The page *Models*: versions, which of them is served, and what they are asked."""

from __future__ import annotations

import time
from collections import Counter

from starlette.routing import Route

from judging.metric_names import metric_name
from judging.number_text import metric_text
from pipeline.runs.outcome import Outcome
from pipeline.runs.run_folders import list_runs
from pipeline.runs.versions import VersionInfo, list_versions
from pipeline.ui.answering import BadRequest, Values, endpoint
from pipeline.ui.support import NoModel
from pipeline.ui.workplace import Workplace
from serving.promotion import WAIT_SECONDS, Moved, NotBlessed, Served, Shelf
from serving.version_labels import CANARY, STABLE
from storage.file_systems import is_folder
from storage.lineage import Figure, Verdict

_PERIODS = {"hour": 3600.0, "day": 86400.0}
_MOST_CLASSES = 12
_WAIT_SECONDS = WAIT_SECONDS


def models(place: Workplace, values: Values) -> Values:
    """Return the versions, the newest first, and their labels."""
    shelf = _shelf(place)
    return {
        "versions": [_version(one) for one in _versions(place, shelf)],
        "served": shelf.served,
        "labelled": bool(shelf.labels.versions),
        "previous": shelf.previous,
    }


def _shelf(place: Workplace) -> Shelf:
    if not is_folder(place.settings.serving_root):
        raise NoModel(f"{place.settings.serving_root}: no model has been pushed there; start a run")
    return Shelf(place.settings.serving_root, _seen_as(place), _WAIT_SECONDS)


def _seen_as(place: Workplace) -> Served:
    """Return how servers see the model, and the name by which clients ask for it."""
    named, pipeline = place.served.name, place.settings.name
    return Served(named if named != pipeline else "", place.base_path, pipeline)


def _versions(place: Workplace, shelf: Shelf) -> list[VersionInfo]:
    return list_versions(shelf, list_runs(place.settings.root, place.settings.name))


def _version(one: VersionInfo) -> Values:
    return {
        "version": one.version,
        "labels": one.labels,
        "loaded": one.loaded,
        "made": one.made and one.made.timestamp(),
        "made_by": one.made_by,
        "origin": one.origin,
        "run": one.run,
        "changes": one.changes,
        "classes": one.classes,
        **verdict_values(one.verdict),
    }


def verdict_values(verdict: Verdict | None) -> Values:
    """Return a verdict as values of JSON."""
    if verdict is None:
        return {"outcome": "", "word": "Not gated", "reasons": (), "on": "", "figures": []}
    return {
        "outcome": verdict.outcome,
        "word": _word(verdict.outcome),
        "reasons": verdict.reasons,
        "on": verdict.on,
        "figures": [_figure(*each) for each in verdict.figures.items()],
    }


def _word(outcome: str) -> str:
    return Outcome(outcome).heading if outcome in set(Outcome) else outcome


def _figure(name: str, figure: Figure) -> Values:
    text = metric_text(name, figure.value, figure.images)
    between = [metric_text(name, end, figure.images) for end in (figure.low, figure.high)]
    return {"name": metric_name(name), "text": text, "between": " to ".join(between)}


def promote(place: Workplace, values: Values) -> Values:
    """Give a version a label; one that was not blessed is refused unless `not_gated` is true."""
    version, label = values.get("version"), values.get("label", STABLE)
    if not isinstance(version, int) or label not in (STABLE, CANARY):
        raise BadRequest(f"version: a number is needed; label: {STABLE} or {CANARY}")
    shelf = _shelf(place)
    verdicts = {one.version: one.verdict for one in _versions(place, shelf)}
    try:
        moved = shelf.promote(
            version, label, values.get("not_gated") is True, verdicts.get(version)
        )
    except NotBlessed as refusal:
        return {"refused": str(refusal)}
    return _moved(moved)


def rollback(place: Workplace, values: Values) -> Values:
    """Give a label back."""
    label = values.get("label", STABLE)
    if label not in (STABLE, CANARY):
        raise BadRequest(f"label: {STABLE} or {CANARY} is needed")
    return _moved(_shelf(place).rollback(label))


def _moved(moved: Moved) -> Values:
    return {"label": moved.label, "version": moved.version, "before": moved.before}


def traffic(place: Workplace, values: Values) -> Values:
    """Return what the model was asked in the last hour and day, as far as it was recorded."""
    now, found = time.time(), {}
    for name, seconds in _PERIODS.items():
        with place.store() as store:
            counts = store.count_answers(now - seconds)
        classes: Counter[str] = Counter()
        for label, is_known, count in counts:
            classes[label if is_known else ""] += count
        known = [one for one in classes.most_common() if one[0]]
        found[name] = {
            "calls": sum(classes.values()),
            "unknown": classes[""],
            "classes": known[:_MOST_CLASSES],
            "others": sum(count for _, count in known[_MOST_CLASSES:]),
        }
    return found


ROUTES = [
    Route("/api/models", endpoint(models)),
    Route("/api/models/promote", endpoint(promote), methods=["POST"]),
    Route("/api/models/rollback", endpoint(rollback), methods=["POST"]),
    Route("/api/traffic", endpoint(traffic)),
]
