"""Reads TensorFlow Serving's configuration files, which are protos in text format.

It is done before TensorFlow's slow import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from serving.embedded.options import Options, UsageError


@dataclass(frozen=True)
class BatchingParameters:
    """Parameters of batching, as in session_bundle_config.proto.

    Attributes:
        max_batch_size: Maximum of rows in a request, and in a batch if requests are not split.
        batch_timeout_micros: Longest wait for a batch to fill.
        max_enqueued_batches: Maximum of waiting batches per signature; when full: UNAVAILABLE.
        num_batch_threads: Batches that run at once, of all models together.
        allowed_batch_sizes: Sizes that batches are padded up to; empty for any.
        enable_large_batch_splitting: Whether a request may be split into several batches.
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

# Messages that are not in tensorflow-serving-api, with their fields in order.
_MESSAGES = """
Int64Value: int64 value
BoolValue: bool value
StringValue: string value
BatchingParameters: Int64Value max_batch_size, Int64Value batch_timeout_micros,\
 Int64Value max_enqueued_batches, Int64Value num_batch_threads, StringValue thread_pool_name,\
 repeated int64 allowed_batch_sizes, bool pad_variable_length_inputs,\
 BoolValue enable_large_batch_splitting, Int64Value max_execution_batch_size
PrometheusConfig: bool enable, string path
MonitoringConfig: PrometheusConfig prometheus_config
SSLConfig: string server_key, string server_cert, string custom_ca, bool client_verify
"""


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
    message = _read(path, _message("BatchingParameters"))

    names = [each.name for each in fields(BatchingParameters) if each.type == "int"]
    numbers = {name: getattr(message, name).value for name in names if message.HasField(name)}
    for name, number in numbers.items():
        least = 0 if name == "batch_timeout_micros" else 1
        if number < least:
            raise UsageError(f"{path}: {name} is {number}, and must be at least {least}")
    splitting = message.enable_large_batch_splitting.value
    sizes = tuple(message.allowed_batch_sizes)
    parameters = replace(
        defaults,
        **numbers,
        allowed_batch_sizes=sizes,
        enable_large_batch_splitting=splitting,
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
    if any(small >= large for small, large in pairwise(sizes)) or (sizes and sizes[0] < 1):
        raise UsageError(f"{path}: allowed_batch_sizes must be positive and increase")
    # Also where requests are split: TensorFlow Serving refuses to load models otherwise.
    if sizes and sizes[-1] != parameters.max_batch_size:
        raise UsageError(
            f"{path}: the last of allowed_batch_sizes is {sizes[-1]}, and must equal "
            f"max_batch_size, {parameters.max_batch_size}"
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
    for line in _MESSAGES.split("\n")[1:-1]:
        name, its_fields = line.split(": ")
        message = file.message_type.add(name=name)
        for number, text in enumerate(its_fields.split(", "), start=1):
            *label, kind, field_name = text.split()
            field = message.field.add(name=field_name, number=number)
            field.label = types.LABEL_REPEATED if label else types.LABEL_OPTIONAL
            if kind.islower():
                field.type = getattr(types, f"TYPE_{kind.upper()}")
            else:
                field.type, field.type_name = types.TYPE_MESSAGE, f".tensorflow.serving.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _message(name: str) -> Any:
    descriptor = _pool().FindMessageTypeByName(f"tensorflow.serving.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)()
    return message_factory.MessageFactory(_pool()).GetPrototype(descriptor)()
