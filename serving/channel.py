"""How a channel to a server is set up: retries, load balancing, limits, TLS.

Source of the retries: https://grpc.io/docs/guides/retry.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from base.errors import UserError

_SERVICE_CONFIG = {
    # Of a name with several addresses, such as a headless Service, all servers get calls.
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [
                {"service": "tensorflow.serving.PredictionService"},
                {"service": "tensorflow.serving.ModelService"},
            ],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                # No call changes anything. TensorFlow Serving answers RESOURCE_EXHAUSTED while
                # all its threads are busy, UNAVAILABLE while its queue of batches is full.
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ],
}

RETRIES_TAKE = 4.0
"""Seconds that four pauses take at most, rounded up; gRPC varies each by a fifth."""

OPTIONS: list[tuple[str, Any]] = [
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # gRPC retries only messages that fit this buffer; its default is 256 KB.
    ("grpc.per_rpc_retry_buffer_size", 256 * 2**20),
    # The default limit is 4 MB; the client trusts its server.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
"""Of a channel, synchronous or asynchronous."""


class Tls(NamedTuple):
    """PEM files for an encrypted connection.

    Attributes:
        ca: Certificates of the authorities that sign the server's certificate; default: gRPC's.
        certificate: The client's certificate, if the server requires one (mTLS).
        key: The client's private key, with `certificate`.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def credentials(tls: Tls) -> grpc.ChannelCredentials:
    """Return the credentials of a channel.

    Raises:
        UserError: A file cannot be read, or one of certificate and key is missing.
    """
    if (tls.certificate is None) != (tls.key is None):
        raise UserError("a client's certificate needs its key, and a key its certificate")
    try:
        ca, key, certificate = (
            Path(file).read_bytes() if file else None for file in (tls.ca, tls.key, tls.certificate)
        )
    except OSError as e:
        raise UserError(f"{e.filename}: cannot be read ({e.strerror}); name a PEM file") from e
    return grpc.ssl_channel_credentials(ca, key, certificate)
