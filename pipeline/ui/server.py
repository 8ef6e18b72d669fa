"""Runs the interface until it is stopped."""

from __future__ import annotations

import errno
import socket

import uvicorn
from starlette.types import ASGIApp

from base.errors import UserError

_LONGEST_STOP_SECONDS = 1


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UserError: The port is in use, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"--port {port}: is in use on {host}; give another one") from error
        raise UserError(
            f"--host {host}: cannot listen there ({error.strerror or error}); give an address of "
            "this machine"
        ) from error


def run(app: ASGIApp, listening: socket.socket) -> None:
    """Answer requests until the process is interrupted or terminated."""
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_LONGEST_STOP_SECONDS,  # pages that watch a run never end
    )
    uvicorn.Server(config).run(sockets=[listening])
