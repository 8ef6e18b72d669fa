"""What a recorder is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from base.errors import UserError
from serving.recorder.follow_ups import Shares, Upstream
from traffic.settings import Keeping


@dataclass(frozen=True)
class Options:
    """The options of a recorder.

    Attributes:
        upstream: The server behind it.
        store: Folder of the traffic store.
        rules: Which images are kept.
        shares: What the server is asked again.
        canary_share: Share of the calls that the label `canary` answers.
        host: Address to listen on.
        port: For gRPC; 0 for a free one.
        rest_port: For REST, if the upstream has it.
        metrics_port: For metrics and health; None: there are none.
        ssl_config_file: Key and certificates for gRPC, as TensorFlow Serving's SSLConfig.
        grace_seconds: Time for running calls, and for what waits to be recorded, at the end.
        most_calls: Calls that may wait to be recorded.
        most_bytes: Bytes that these may take.
    """

    upstream: Upstream
    store: Path
    rules: Keeping = field(default_factory=Keeping)
    shares: Shares = field(default_factory=Shares)
    canary_share: float = 0.0
    host: str = "127.0.0.1"
    port: int = 8600
    rest_port: int = 8601
    metrics_port: int | None = 8602
    ssl_config_file: str = ""
    grace_seconds: float = 30.0
    most_calls: int = 10_000
    most_bytes: int = 256 * 2**20


def check_address(option: str, address: str) -> str:
    """Return an address, HOST:PORT.

    Raises:
        UserError: It is none.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
        raise UserError(f"{option} {address}: write it as HOST:PORT, such as localhost:8500")
    return address
