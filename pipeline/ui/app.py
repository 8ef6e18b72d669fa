"""The interface as an ASGI application: pages, their files, and what they ask for."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from pipeline.ui import classes, explaining, models, reviewing, runs, trying
from pipeline.ui.access import Guard
from pipeline.ui.uploads import MOST_BYTES
from pipeline.ui.workplace import Workplace

PAGES = {
    "": "Try",
    "review": "Review",
    "classes": "Classes",
    "models": "Models",
    "runs": "Runs",
}
"""Titles of the pages by their path."""

_UPLOADS_AT_ONCE = 4


def create_app(place: Workplace, hosts: tuple[str, ...] = (), token: str | None = None) -> ASGIApp:
    """Return the application.

    Args:
        place: What the pages work on.
        hosts: See `Guard`.
        token: See `Guard`.
    """
    static = str(resources.files("pipeline.ui") / "static")
    app = Starlette(
        routes=[
            *(Route(f"/{path}", _page(path)) for path in PAGES),
            Mount("/static", StaticFiles(directory=static)),
            *trying.ROUTES,
            *explaining.ROUTES,
            *reviewing.ROUTES,
            *classes.ROUTES,
            *models.ROUTES,
            *runs.ROUTES,
        ]
    )
    app.state.place = place
    app.state.uploading = asyncio.Semaphore(_UPLOADS_AT_ONCE)
    return Guard(app, hosts, token)


def _page(path: str):
    async def answer(request: Request) -> Response:
        place: Workplace = request.app.state.place
        template = _templates().get_template(f"{PAGES[path].lower()}.html.j2")
        text = template.render(
            pages=PAGES,
            path=path,
            title=PAGES[path],
            name=place.settings.name,
            most_bytes=MOST_BYTES,
        )
        return Response(text, media_type="text/html")

    return answer


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("pipeline.ui", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
