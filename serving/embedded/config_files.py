"""Reads TensorFlow Serving's configuration files, which are protos in text format."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from serving.embedded.options import UsageError


@dataclass(frozen=True)
class BatchingParameters:
    """Parameters of batching, as in session_bundle_config.proto.

    Attributes:
        max_batch_size: Maximum of rows in a batch.
        batch_timeout_micros: Longest wait for a batch to fill.
        max_enqueued_batches: Maximum of waiting batches per signature; when full: UNAVAILABLE.
        num_batch_threads: Batches that run at once, of all models together.
        allowed_batch_sizes: Sizes that batches are padded up to; empty for any.
        enable_large_batch_splitting: Whether a request larger than a batch is split or refused.
        max_execution_batch_size: Maximum of rows that run at once, if requests are split.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 1
    allowed_batch_sizes: tuple[int, ...] = ()
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int = 0

    @property
    def execution_limit(self) -> int:
        """Maximum of rows that run at once."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size:
            return self.max_execution_batch_size
        return self.max_batch_size


@dataclass(frozen=True)
class TlsSettings:
    """Keys and certificates in PEM, as in ssl_config.proto."""

    server_key: bytes
    server_cert: bytes
    custom_ca: bytes | None
    client_verify: bool


DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"

# Messages that are not in tensorflow-serving-api, as (label, type, name).
_INT64 = "Int64Value"
_MESSAGES = {
    _INT64: [("", "int64", "value")],
    "BoolValue": [("", "bool", "value")],
    "StringValue": [("", "string", "value")],
    "BatchingParameters": [
        ("", _INT64, "max_batch_size"),
        ("", _INT64, "batch_timeout_micros"),
        ("", _INT64, "max_enqueued_batches"),
        ("", _INT64, "num_batch_threads"),
        ("", "StringValue", "thread_pool_name"),
        ("repeated", "int64", "allowed_batch_sizes"),
        ("", "bool", "pad_variable_length_inputs"),
        ("", "BoolValue", "enable_large_batch_splitting"),
        ("", _INT64, "max_execution_batch_size"),
    ],
    "PrometheusConfig": [("", "bool", "enable"), ("", "string", "path")],
    "MonitoringConfig": [("", "PrometheusConfig", "prometheus_config")],
    "SSLConfig": [
        ("", "string", "server_key"),
        ("", "string", "server_cert"),
        ("", "string", "custom_ca"),
        ("", "bool", "client_verify"),
    ],
}


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
    message = _read(path, _message("BatchingParameters"))

    def value(name: str, least: int) -> int:
        if not message.HasField(name):
            return getattr(defaults, name)
        number = getattr(message, name).value
        if number < least:
            raise UsageError(f"{path}: {name} is {number}, and must be at least {least}")
        return number

    splitting = message.enable_large_batch_splitting.value
    parameters = BatchingParameters(
        max_batch_size=value("max_batch_size", 1),
        batch_timeout_micros=value("batch_timeout_micros", 0),
        max_enqueued_batches=value("max_enqueued_batches", 1),
        num_batch_threads=value("num_batch_threads", 1),
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        enable_large_batch_splitting=splitting,
        max_execution_batch_size=value("max_execution_batch_size", 1),
    )
    if message.HasField("max_execution_batch_size") and not splitting:
        raise UsageError(
            f"{path}: max_execution_batch_size needs enable_large_batch_splitting {{ value: true }}"
        )
    if parameters.max_execution_batch_size > parameters.max_batch_size:
        raise UsageError(
            f"{path}: max_execution_batch_size is {parameters.max_execution_batch_size}, and must "
            f"be at most max_batch_size, {parameters.max_batch_size}"
        )
    sizes = parameters.allowed_batch_sizes
    if any(small >= large for small, large in pairwise(sizes)) or (sizes and sizes[0] < 1):
        raise UsageError(f"{path}: allowed_batch_sizes must be positive and increase")
    if sizes and sizes[-1] != parameters.execution_limit:
        limit = "max_execution_batch_size" if splitting else "max_batch_size"
        raise UsageError(
            f"{path}: the last of allowed_batch_sizes is {sizes[-1]}, and must equal {limit}, "
            f"{parameters.execution_limit}"
        )
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
    config = _read(path, _message("MonitoringConfig")).prometheus_config
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
    config = _read(path, _message("SSLConfig"))
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


@lru_cache
def _pool() -> descriptor_pool.DescriptorPool:
    # In a pool of their own, so that they don't clash with the real protos.
    file = descriptor_pb2.FileDescriptorProto(
        name="serving/embedded/config_files.proto", package="tensorflow.serving", syntax="proto3"
    )
    types = descriptor_pb2.FieldDescriptorProto
    for name, its_fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (label, kind, field_name) in enumerate(its_fields, start=1):
            field = message.field.add(
                name=field_name,
                number=number,
                label=types.LABEL_REPEATED if label == "repeated" else types.LABEL_OPTIONAL,
            )
            if kind in _MESSAGES:
                field.type = types.TYPE_MESSAGE
                field.type_name = f".tensorflow.serving.{kind}"
            else:
                field.type = getattr(types, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _message(name: str) -> Any:
    descriptor = _pool().FindMessageTypeByName(f"tensorflow.serving.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)()
    return message_factory.MessageFactory(_pool()).GetPrototype(descriptor)()
