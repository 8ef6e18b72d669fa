"""Calls an ASGI application as a server does, without one."""

import asyncio
import json
from typing import NamedTuple
from urllib.parse import unquote


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


def call(app, path, body=None, method=None, chunks=None, **headers):
    """The answer to a request; `body` is bytes or values of JSON, and makes it a POST.

    `chunks` are sent in place of a body, without its length; None among them: the client goes away.
    """
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    method = method or ("GET" if body is None and chunks is None else "POST")
    sent = {"host": "localhost:8700", **{k.replace("_", "-"): v for k, v in headers.items()}}
    if chunks is None:
        chunks = [body or b""]
        sent.setdefault("content-length", str(len(chunks[0])))
    return asyncio.run(_call(app, path, method, sent, list(chunks)))


async def _call(app, path, method, headers, chunks):
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        "server": ("localhost", 8700),
        "client": ("127.0.0.1", 1),
    }
    messages = []

    async def receive():
        if not chunks:
            await asyncio.Event().wait()  # the client waits for the answer
        chunk = chunks.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message):
        messages.append(message)

    await app(scope, receive, send)
    start, *parts = messages
    return Answer(
        start["status"],
        {k.decode(): v.decode() for k, v in start["headers"]},
        b"".join(part.get("body", b"") for part in parts),
    )
