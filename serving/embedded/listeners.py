"""Binds the ports before anything slow, so that one in use is reported at once."""

from __future__ import annotations

from concurrent import futures
from dataclasses import dataclass
from typing import Any

import grpc

from serving.embedded.config_files import TlsSettings
from serving.embedded.http_server import HttpServer
from serving.embedded.options import Options, UsageError, channel_arguments


@dataclass(frozen=True)
class Listeners:
    """Servers that are bound to their ports and don't answer yet.

    Attributes:
        grpc: Has no services yet.
        http: None without REST.
        line: Where they listen, for people.
    """

    grpc: grpc.Server
    http: HttpServer | None
    line: str


def listen(options: Options, tls: TlsSettings | None) -> Listeners:
    """Bind the ports.

    Args:
        options: Hosts, ports and limits.
        tls: For gRPC.

    Raises:
        UsageError: A port can't be bound.
    """
    http = _http(options)
    server, port = _grpc(options, tls)
    line = f"gRPC on {options.host}:{port}"
    if http is not None:
        line += f", REST on {options.host}:{http.port}"
    return Listeners(server, http, line)


def _http(options: Options) -> HttpServer | None:
    if options.rest_api_port is None:
        return None
    try:
        return HttpServer(
            options.host,
            options.rest_api_port,
            threads=options.rest_api_num_threads,
            timeout=options.rest_api_timeout_in_ms / 1000,
            grace=options.shutdown_grace_seconds,
        )
    except OSError as e:
        raise UsageError(
            f"--rest_api_port: can't listen on {options.host}:{options.rest_api_port} "
            f"({e.strerror or e}): choose another port, or 0 for a free one"
        ) from e


def _grpc(options: Options, tls: TlsSettings | None) -> tuple[grpc.Server, int]:
    server = grpc.server(
        futures.ThreadPoolExecutor(options.grpc_max_threads, thread_name_prefix="grpc"),
        options=channel_arguments(options),
        # More calls are refused at once and don't fill the memory.
        maximum_concurrent_rpcs=4 * options.grpc_max_threads,
    )
    certificates = f", or {options.ssl_config_file} holds no key that fits" if tls else ""
    return server, bind(server, options.host, options.port, tls, certificates)


def bind(server: Any, host: str, port: int, tls: TlsSettings | None, or_reason: str = "") -> int:
    """Bind a gRPC server, synchronous or asynchronous, and return the port.

    Args:
        server: The server.
        host: Address to listen on.
        port: 0 for a free one.
        tls: Its key and certificates; None: no encryption.
        or_reason: Another reason for a failure than a port in use.

    Raises:
        UsageError: The port can't be bound.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reason: Exception | None = None
    try:
        if tls is None:
            bound: int = server.add_insecure_port(address)
        else:
            credentials = grpc.ssl_server_credentials(
                [(tls.server_key, tls.server_cert)],
                root_certificates=tls.custom_ca,
                require_client_auth=tls.client_verify,
            )
            bound = server.add_secure_port(address, credentials)
    except (RuntimeError, ValueError) as e:
        bound, reason = 0, e
    if not bound:
        raise UsageError(
            f"--port: can't listen on {address} (it may be in use{or_reason}): choose another "
            "port, or 0 for a free one"
        ) from reason
    return bound
