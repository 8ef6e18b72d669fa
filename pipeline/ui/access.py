"""Who may use the interface: checks of each request before it is answered, and its headers.

A page of another site that a person has open can send requests to this machine. Against that: the
host that a request names (DNS rebinding), the site that it comes from (CSRF), and a content
security policy without inline scripts.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "siamese_ui"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

_SECONDS_AFTER_A_WRONG_TOKEN = 0.5
_WATCHED = ("GET", "HEAD")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class Guard:
    """Answers requests that are not allowed, and passes on the others; an ASGI application.

    Args:
        app: Answers what is allowed.
        hosts: Names of this machine that a request may be for; those of loopback always may.
        token: What a visitor must bring, in the address (?token=…) at the first visit, in a cookie
            afterwards, or as `Authorization: Bearer`; None: nothing. With a token, any host name
            is accepted, since a cookie belongs to the name that it was given for.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...] = (), token: str | None = None) -> None:
        self._app, self._token = app, token
        self._hosts = {*LOOPBACK_NAMES, *hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        answer = self._refused(request) or await self._admitted(request)
        kept = "no-cache" if request.url.path.startswith("/static/") else "no-store"
        await (answer or self._app)(scope, receive, _with_headers(send, kept))

    def _refused(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if self._token is None and _name(host) not in self._hosts:
            return PlainTextResponse(
                f"This interface answers requests for {', '.join(sorted(self._hosts))} only, not "
                f"for {host[:100]!r}.",
                421,
            )
        if request.method not in _WATCHED and _comes_from_elsewhere(request.headers, host):
            return PlainTextResponse("The request comes from a page of another site.", 403)
        return None

    async def _admitted(self, request: Request) -> Response | None:
        """Return None for a visitor who has shown the token, otherwise an answer."""
        if self._token is None:
            return None
        given = request.query_params.get("token")
        if given is not None and request.method in _WATCHED:
            if _same(given, self._token):
                return self._welcome(request)
        elif _same(request.cookies.get(COOKIE, ""), self._cookie) or _same(
            request.headers.get("authorization", ""), f"Bearer {self._token}"
        ):
            return None
        if given is not None or COOKIE in request.cookies:
            await asyncio.sleep(_SECONDS_AFTER_A_WRONG_TOKEN)
        return HTMLResponse(_WRONG_TOKEN, 401)

    def _welcome(self, request: Request) -> Response:
        """Return a page that sets the cookie and goes on, without the token in the address.

        A redirection would not do: a browser that came by a link from elsewhere does not send a
        cookie of SameSite=Strict with it.
        """
        query = parse_qs(request.url.query, keep_blank_values=True)
        del query["token"]
        path = "/" + request.url.path.lstrip("/")  # "//host" would be another site
        target = path + (f"?{urlencode(query, doseq=True)}" if query else "")
        answer = HTMLResponse("", headers={"Refresh": f"0; url={target}"})
        answer.set_cookie(
            COOKIE,
            self._cookie,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @property
    def _cookie(self) -> str:
        assert self._token is not None
        return hmac.new(self._token.encode(), b"cookie", hashlib.sha256).hexdigest()


def _with_headers(send: Send, cache_control: str) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in {**_HEADERS, "Cache-Control": cache_control}.items():
                headers.setdefault(name, value)
        await send(message)

    return sent


def _comes_from_elsewhere(headers: Headers, host: str) -> bool:
    # Programs that are no browsers send neither header, and carry no one else's cookie.
    if (site := headers.get("sec-fetch-site")) is not None and site != "same-origin":
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()


def _name(host: str) -> str:
    """Return the name in a `Host` header."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


_WRONG_TOKEN = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Token required</title>
<h1>Token required</h1>
<p>This address needs its token, which <code>siamese ui</code> printed when it was started: open
the whole address, with <code>?token=…</code> at its end. If you did, the token is wrong or of an
earlier start.</p></html>"""
