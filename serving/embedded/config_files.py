"""Reads TensorFlow Serving's configuration files, which are protos in text format.

It is done before TensorFlow's slow import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from google.protobuf import text_format

from serving.embedded.options import Options, UsageError
from serving.wire import serving_pb2 as wire


@dataclass(frozen=True)
class BatchingParameters:
    """Parameters of batching, as in session_bundle_config.proto.

    Attributes:
        max_batch_size: Maximum of rows in a request.
        batch_timeout_micros: Longest wait for a batch to fill.
        max_enqueued_batches: Maximum of waiting batches per signature; when full: UNAVAILABLE.
        num_batch_threads: Batches that run at once, of all models together.
        allowed_batch_sizes: Sizes that batches are padded up to; empty for any.
        max_execution_batch_size: Rows from which on a batch is full; 0: `max_batch_size`. A
            larger request is a batch of its own; TensorFlow Serving splits it.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 1
    allowed_batch_sizes: tuple[int, ...] = ()
    max_execution_batch_size: int = 0


@dataclass(frozen=True)
class TlsSettings:
    """Keys and certificates in PEM, as in ssl_config.proto."""

    server_key: bytes
    server_cert: bytes
    custom_ca: bytes | None
    client_verify: bool


@dataclass(frozen=True)
class Settings:
    """The content of the configuration files.

    Attributes:
        models: The served models, a `ModelServerConfig`.
        batching: None: no batching.
        metrics_path: Path of the metrics on the REST port; None: no metrics.
        tls: None: no encryption.
    """

    models: Any
    batching: BatchingParameters | None
    metrics_path: str | None
    tls: TlsSettings | None


DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"


def read_settings(options: Options) -> Settings:
    """Read all files that the options name.

    Raises:
        UsageError: One can't be used; the message names the file and the field.
    """
    metrics_path = read_metrics_path(options.monitoring_config_file)
    if metrics_path and options.rest_api_port is None:
        raise UsageError(
            f"{options.monitoring_config_file}: the metrics are on the REST port: add "
            "--rest_api_port"
        )
    batching = None
    if options.enable_batching:
        batching = read_batching_parameters(options.batching_parameters_file)
    models = (
        read_model_config(options.model_config_file)
        if options.model_config_file
        else _one_model(options.model_name, options.model_base_path)
    )
    return Settings(models, batching, metrics_path, read_tls_settings(options.ssl_config_file))


def _one_model(name: str, path: str) -> Any:
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(
        name=name,
        base_path=path if "://" in path else os.path.abspath(path),
        model_platform="tensorflow",
    )
    return config


def read_model_config(path: str) -> Any:
    """Read a `ModelServerConfig`.

    Raises:
        UsageError: It can't be read, or isn't one.
    """
    from tensorflow_serving.config import model_server_config_pb2

    config = _read(path, model_server_config_pb2.ModelServerConfig())
    if not config.model_config_list.config:
        raise UsageError(
            f"{path}: names no model: write model_config_list {{ config {{ name: "
            '"m" base_path: "/models/m" } }'
        )
    return config


def read_batching_parameters(path: str) -> BatchingParameters:
    """Read `BatchingParameters`; an empty `path` gives the defaults.

    Raises:
        UsageError: The file can't be read, or a field has an impossible value.
    """
    defaults = BatchingParameters(num_batch_threads=os.cpu_count() or 1)
    if not path:
        return defaults
    message = _read(path, wire.BatchingParameters())

    names = [each.name for each in fields(BatchingParameters) if each.type == "int"]
    numbers = {name: getattr(message, name).value for name in names if message.HasField(name)}
    for name, number in numbers.items():
        least = 0 if name == "batch_timeout_micros" else 1
        if number < least:
            raise UsageError(f"{path}: {name} is {number}, and must be at least {least}")
    sizes = tuple(message.allowed_batch_sizes)
    parameters = replace(defaults, **numbers, allowed_batch_sizes=sizes)
    most, at_once = parameters.max_batch_size, parameters.max_execution_batch_size
    # TensorFlow Serving loads no model with such parameters.
    for wrong, reason in (
        (
            at_once and not message.enable_large_batch_splitting.value,
            "max_execution_batch_size needs enable_large_batch_splitting { value: true }",
        ),
        (
            at_once > most,
            f"max_execution_batch_size is {at_once}, and must be at most max_batch_size, {most}",
        ),
        (
            any(small >= large for small, large in pairwise((0, *sizes))),
            "allowed_batch_sizes must be positive and increase",
        ),
        (
            sizes and sizes[-1] != most,
            f"the last of allowed_batch_sizes must equal max_batch_size, {most}",
        ),
    ):
        if wrong:
            raise UsageError(f"{path}: {reason}")
    return parameters


def read_metrics_path(path: str) -> str | None:
    """Read a `MonitoringConfig`.

    Returns:
        Where on the REST port the metrics are; None if there shall be none.

    Raises:
        UsageError: It can't be read, or its path doesn't start with a slash.
    """
    if not path:
        return None
    config = _read(path, wire.MonitoringConfig()).prometheus_config
    if not config.enable:
        return None
    if config.path and not config.path.startswith("/"):
        raise UsageError(f"{path}: prometheus_config.path is '{config.path}': start it with a /")
    return config.path or DEFAULT_METRICS_PATH


def read_tls_settings(path: str) -> TlsSettings | None:
    """Read an `SSLConfig`, whose fields hold the PEM text itself.

    Raises:
        UsageError: It can't be read, or a field is missing or no PEM.
    """
    if not path:
        return None
    config = _read(path, wire.SSLConfig())
    for name in ("server_key", "server_cert", "custom_ca"):
        pem = getattr(config, name)
        if name == "custom_ca" and not pem:
            continue
        if "-----BEGIN " not in pem:
            raise UsageError(
                f"{path}: {name} must be PEM text (-----BEGIN ...), not the name of a file"
            )
    if config.client_verify and not config.custom_ca:
        raise UsageError(
            f"{path}: client_verify needs custom_ca, the certificates that clients are checked by"
        )
    return TlsSettings(
        server_key=config.server_key.encode(),
        server_cert=config.server_cert.encode(),
        custom_ca=config.custom_ca.encode() or None,
        client_verify=config.client_verify,
    )


def _read(path: str, message: Any) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else "it isn't text"
        raise UsageError(f"{path}: can't be read ({reason})") from e
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as e:
        raise UsageError(f"{path}: is no {type(message).DESCRIPTOR.name} in text: {e}") from e
