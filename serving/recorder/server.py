"""Assembles a recorder and runs it until it is stopped."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from typing import NamedTuple

from grpc import aio

from serving.channel import credentials
from serving.embedded.config_files import read_tls_settings
from serving.embedded.deadline import Deadline
from serving.embedded.http_server import Answer, HttpServer, error
from serving.embedded.listeners import bind
from serving.embedded.options import UsageError
from serving.recorder.backlog import Backlog
from serving.recorder.canary import CanaryShare
from serving.recorder.counts import Counts
from serving.recorder.follow_ups import FollowUps
from serving.recorder.grpc_proxy import CHANNEL_OPTIONS, GrpcProxy
from serving.recorder.http_upstream import HttpUpstream
from serving.recorder.options import Options
from serving.recorder.rest_proxy import RestProxy
from serving.recorder.writer import Writer
from traffic.store import TrafficStore

_REST_SECONDS = 600.0
# The writer's thread hands over to the calls ten times as often as by default.
_SWITCH_SECONDS = 0.0005
_SERVER_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Otherwise a second recorder would silently share the port.
    ("grpc.so_reuseport", 0),
]


class Listening(NamedTuple):
    """Where a recorder listens.

    Attributes:
        host: Address.
        grpc: Port.
        rest: Port; None: REST is not passed on.
        metrics: Port of metrics and health; None: there are none.
    """

    host: str
    grpc: int
    rest: int | None
    metrics: int | None

    def __str__(self) -> str:
        named = {"gRPC": self.grpc, "REST": self.rest, "metrics": self.metrics}
        return ", ".join(f"{what} on {self.host}:{port}" for what, port in named.items() if port)


def record(options: Options, ready: Callable[[Listening], None]) -> None:
    """Pass calls on and record them until SIGTERM or SIGINT, then finish the running ones.

    Args:
        options: What to do.
        ready: Told where the recorder listens.

    Raises:
        UserError: A port cannot be bound, or a PEM file cannot be read.
    """

    async def until_a_signal() -> None:
        stopped = asyncio.Event()
        _stop_on_signals(stopped)
        await serve(options, ready, stopped)

    sys.setswitchinterval(_SWITCH_SECONDS)
    asyncio.run(until_a_signal())


async def serve(
    options: Options, ready: Callable[[Listening], None], stopped: asyncio.Event
) -> None:
    """As `record`, until an event is set."""
    counts, draw = Counts(), random.Random()
    backlog = Backlog(options.most_calls, options.most_bytes)
    writer = Writer(
        backlog,
        lambda: TrafficStore(options.store, create=True),
        options.rules,
        FollowUps(options.upstream, options.shares, counts, draw),
        counts,
    )
    canary = CanaryShare(options.canary_share, counts, draw)
    channel = _channel(options)
    server = aio.server(options=_SERVER_OPTIONS)
    server.add_generic_rpc_handlers((GrpcProxy(channel, writer.offer, canary, counts),))
    rest, status = _https(options)
    try:
        tls = read_tls_settings(options.ssl_config_file)
        port = bind(server, options.host, options.port, tls)
        if rest is not None and options.upstream.rest is not None:
            upstream = HttpUpstream(options.upstream.rest, _REST_SECONDS)
            rest.run(RestProxy(upstream, writer.offer, canary, counts))
        if status is not None:
            status.start(_status(writer, backlog, counts))
        writer.start()
        await server.start()
        ports = (None if http is None else http.port for http in (rest, status))
        ready(Listening(options.host, port, *ports))
        await stopped.wait()
    finally:
        await server.stop(options.grace_seconds)
        for http in (rest, status):
            if http is not None:
                await asyncio.to_thread(http.stop)
        await channel.close()
        await asyncio.to_thread(writer.stop, options.grace_seconds)


def _https(options: Options) -> tuple[HttpServer | None, HttpServer | None]:
    """Return the bound servers for REST and for metrics; None where there is none."""
    rest = options.upstream.rest and _http(options, "--rest-port", options.rest_port)
    metrics = options.metrics_port
    return rest or None, None if metrics is None else _http(options, "--metrics-port", metrics)


def _channel(options: Options) -> aio.Channel:
    upstream = options.upstream
    if upstream.tls:
        return aio.secure_channel(upstream.grpc, credentials(upstream.tls), CHANNEL_OPTIONS)
    return aio.insecure_channel(upstream.grpc, CHANNEL_OPTIONS)


def _http(options: Options, option: str, port: int) -> HttpServer:
    try:
        return HttpServer(options.host, port, threads=2, timeout=30.0, grace=options.grace_seconds)
    except OSError as e:
        raise UsageError(
            f"{option}: can't listen on {options.host}:{port} ({e.strerror or e}): choose another "
            "port, or 0 for a free one"
        ) from e


def _status(writer: Writer, backlog: Backlog, counts: Counts) -> Callable[..., Answer]:
    """Return the answerer of `/metrics` and `/health`.

    The latter is 200 also where nothing can be recorded: calls are passed on all the same, and a
    restart would interrupt them.
    """

    def answer(method: str, target: str, body: bytes, deadline: Deadline) -> Answer:
        if method == "GET" and target == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", counts.text(len(backlog))
        if method == "GET" and target == "/health":
            health = {"recording": not writer.trouble, "trouble": writer.trouble}
            return 200, "application/json", json.dumps(health).encode()
        return error(404, "There are /metrics and /health.")

    return answer


def _stop_on_signals(stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopped.is_set():
            os._exit(1)  # the second signal: stop at once
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
