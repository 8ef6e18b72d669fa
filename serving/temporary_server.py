"""Starts a server for the time of a few requests."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import grpc

from serving.connection import Connection, ServingError
from serving.engine import Engine, EngineError, Serving, command, quiet_environment

READY_SECONDS = 300.0
"""Time that loading a model may take; importing TensorFlow on a busy machine takes minutes."""

_STOP_SECONDS = 30.0
_ASK_SECONDS = 1.0  # of one question: a port is bound long before anything answers there
_PAUSE_SECONDS = 0.1
_SHOWN_LINES = 5


@contextlib.contextmanager
def temporary_server(
    engine: Engine,
    name: str,
    base_path: Path,
    ready_seconds: float = READY_SECONDS,
    stopped: threading.Event | None = None,
    options: Sequence[str] = (),
    meanwhile: Callable[[], object] | None = None,
) -> Iterator[str]:
    """Serve the newest version below a base path, on free ports, until the context ends.

    Args:
        engine: From `serving.engine.choose`.
        name: The model's name, which clients ask for.
        base_path: Folder with a sub-folder per version.
        ready_seconds: Time that loading the model may take.
        stopped: Another thread sets it to end the wait for the model.
        options: Further options of `tensorflow_model_server`.
        meanwhile: Called once, while the model is loaded.

    Yields:
        HOST:PORT for gRPC, where a version is available.

    Raises:
        EngineError: The server ended (the message has its last lines), loaded nothing in time, or
            was stopped before.
    """
    port, rest_port = free_ports(2)
    serving = Serving(name, base_path, port, rest_port, ("--max_num_load_retries=0", *options))
    address = f"localhost:{serving.port}"
    with tempfile.TemporaryFile("a+b") as log:
        process = subprocess.Popen(
            command(engine, serving),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **quiet_environment(engine)},
        )
        try:
            if meanwhile is not None:
                meanwhile()
            _wait(process, address, name, log, ready_seconds, stopped or threading.Event())
            yield address
        finally:
            # It has nothing left to do. But a container would outlive a client that is killed.
            (process.terminate if engine == "docker" else process.kill)()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(
    process: subprocess.Popen[bytes],
    address: str,
    name: str,
    log: IO[bytes],
    seconds: float,
    stopped: threading.Event,
) -> None:
    end = time.monotonic() + seconds
    with Connection(address, name, timeout=_ASK_SECONDS) as client:
        while True:
            try:
                return client.wait_until_available(seconds=0)
            except ServingError as e:
                if process.poll() is not None:
                    raise EngineError(
                        f"the server ended. Its last lines:\n{_last_lines(log)}"
                    ) from e
                if e.code is grpc.StatusCode.FAILED_PRECONDITION:  # it cannot be loaded
                    raise EngineError(str(e)) from e
                if time.monotonic() > end:
                    raise EngineError(
                        f"the server has not loaded the model after {seconds:g} s"
                    ) from e
            if stopped.wait(_PAUSE_SECONDS):
                raise EngineError("the server was stopped before it had loaded the model")


def _last_lines(log: IO[bytes]) -> str:
    log.seek(0)
    return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-_SHOWN_LINES:])


def free_ports(count: int) -> list[int]:
    """Return different ports that are free now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]
