"""The page *Runs*: what has been run, and what is running."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from base.errors import UserError
from judging.number_text import metric_text
from pipeline.runs.outcome import Outcome
from pipeline.runs.run_folders import CONFIG, FOLDER, LOG, list_runs
from pipeline.runs.summary import Summary
from pipeline.ui.answering import NotFound, Values, endpoint, problem, text
from pipeline.ui.running import Watch
from pipeline.ui.workplace import Workplace

REPORT = "report.html"
_JUDGED = {one.value for one in (Outcome.BLESSED, Outcome.NOT_BLESSED, Outcome.UNDECIDED)}
_MOST_RUNS = 50
_LOOK_SECONDS = 0.5
_LAST_BYTES = 200_000

_REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads allow-modals; default-src 'none'; img-src data: blob:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
)
"""A report has its script inside; in a sandbox it cannot use the interface."""


def runs(place: Workplace, values: Values) -> Values:
    """Return the newest runs."""
    settings = place.settings
    ours = place.runner.is_ours
    found = [_row(place, run) for run in list_runs(settings.root, settings.name, _MOST_RUNS)]
    if found:  # a verdict is there some seconds before the report
        newest = found[0]
        newest["report_follows"] = ours and newest["outcome"] in _JUDGED and not newest["report"]
    return {"runs": found, "ours": ours, "config": place.config.name}


def _row(place: Workplace, run: Summary) -> Values:
    metrics = {
        name: metric_text(name, run.metrics[name].value, run.metrics[name].images)
        for name in ("class_accuracy", "auc")
        if name in run.metrics
    }
    parts = run.run.components if run.run else []
    outcome = run.outcome or Outcome.FAILED
    return {
        "id": run.id,
        "started": run.started.timestamp(),
        "seconds": sum(part.seconds or 0.0 for part in parts),
        "outcome": outcome.value if run.outcome else "",
        "word": outcome.heading if run.outcome else "No verdict",
        "why": [run.failure] if run.failure else list(run.reasons),
        "metrics": metrics,
        "pushed": Path(run.run.pushed).name if run.run and run.run.pushed else "",
        "report": (_folder(place, run.id) / REPORT).is_file(),
    }


def _folder(place: Workplace, run_id: str) -> Path:
    folder = place.settings.root / FOLDER / run_id
    if not run_id.replace("-", "").isalnum() or not (folder / CONFIG).is_file():
        raise NotFound(f"{run_id[:40]!r}: there is no such run")
    return folder


def start(place: Workplace, values: Values) -> Values:
    """Start a run."""
    place.runner.start()
    return {}


def stop(place: Workplace, values: Values) -> Values:
    """Stop the run that was started here."""
    place.runner.stop()
    return {}


def report(place: Workplace, values: Values) -> Response:
    """Return a run's report."""
    path = _folder(place, text(values, "id")) / REPORT
    if not path.is_file():
        raise NotFound("the run has no report")
    headers = {"Content-Security-Policy": _REPORT_POLICY}
    return Response(path.read_bytes(), media_type="text/html", headers=headers)


def log(place: Workplace, values: Values) -> Response:
    """Return the end of a run's log."""
    path = _folder(place, text(values, "id")) / LOG
    if not path.is_file():
        raise NotFound("the run has no log")
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LAST_BYTES))
        return Response(file.read(), media_type="text/plain; charset=utf-8")


async def events(request: Request) -> Response:
    """Send a run's progress whenever it changes, until it ends (server-sent events)."""
    place: Workplace = request.app.state.place
    try:
        watch = Watch(_folder(place, request.path_params["id"]))
    except UserError as error:
        return problem(error)

    async def sent() -> AsyncIterator[str]:
        last = ""
        while True:
            found = await run_in_threadpool(watch.look)
            if (message := json.dumps(found)) != last:
                last = message
                yield f"data: {message}\n\n"
            if found["outcome"]:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    return StreamingResponse(sent(), media_type="text/event-stream")


ROUTES = [
    Route("/api/runs", endpoint(runs)),
    Route("/api/runs/start", endpoint(start), methods=["POST"]),
    Route("/api/runs/stop", endpoint(stop), methods=["POST"]),
    Route("/api/runs/{id}/events", events),
    Route("/runs/{id}/report", endpoint(report)),
    Route("/runs/{id}/log", endpoint(log)),
]
