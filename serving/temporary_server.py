"""A server for as long as a few questions take."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import grpc

from serving.connection import Connection, ServingError
from serving.engine import Engine, EngineError, Serving, command

READY_SECONDS = 300.0
"""That loading a model may take; importing TensorFlow on a busy machine alone takes many."""

_STOP_SECONDS = 30.0
_SHOWN_LINES = 5


@contextlib.contextmanager
def temporary_server(
    engine: Engine, name: str, base_path: Path, ready_seconds: float = READY_SECONDS
) -> Iterator[str]:
    """Serve the newest version below a base path, on free ports, until the context ends.

    Args:
        engine: Of `serving.engine.choose`.
        name: That clients ask for.
        base_path: Holds a folder for each version.
        ready_seconds: That loading the model may take.

    Yields:
        gRPC's HOST:PORT; a version is available there.

    Raises:
        EngineError: The server ended (the message has its last lines), or loaded nothing in time.
    """
    port, rest_port = free_ports(2)
    options = ("--max_num_load_retries=0",)
    serving = Serving(name, base_path, port, rest_port, options, only_here=True)
    address = f"localhost:{serving.port}"
    with tempfile.TemporaryFile("a+b") as log:
        process = subprocess.Popen(
            command(engine, serving), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            _wait(process, address, name, log, time.monotonic() + ready_seconds)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(
    process: subprocess.Popen[bytes], address: str, name: str, log: IO[bytes], end: float
) -> None:
    with Connection(address, name) as client:
        while True:
            try:
                return client.wait_until_available(seconds=1)
            except ServingError as e:
                has_ended = process.poll() is not None
                refused = e.code is grpc.StatusCode.FAILED_PRECONDITION
                if has_ended:
                    raise EngineError(
                        f"the server ended. Its last lines:\n{_last_lines(log)}"
                    ) from e
                if refused or time.monotonic() > end:
                    raise EngineError(str(e)) from e


def _last_lines(log: IO[bytes]) -> str:
    log.seek(0)
    return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-_SHOWN_LINES:])


def free_ports(count: int) -> list[int]:
    """Ports that are free now; all are held at once, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]
