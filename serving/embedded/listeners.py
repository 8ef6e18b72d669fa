"""Binds the ports before anything slow, so that one in use is reported at once."""

from __future__ import annotations

from concurrent import futures
from dataclasses import dataclass

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
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"{host}:{options.port}"
    reason: Exception | None = None
    try:
        if tls is None:
            port = server.add_insecure_port(address)
        else:
            credentials = grpc.ssl_server_credentials(
                [(tls.server_key, tls.server_cert)],
                root_certificates=tls.custom_ca,
                require_client_auth=tls.client_verify,
            )
            port = server.add_secure_port(address, credentials)
    except (RuntimeError, ValueError) as e:
        port, reason = 0, e
    if not port:
        certificates = f", or {options.ssl_config_file} holds no key that fits" if tls else ""
        raise UsageError(
            f"--port: can't listen on {address} (it may be in use{certificates}): choose another "
            "port, or 0 for a free one"
        ) from reason
    return server, port
