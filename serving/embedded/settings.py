"""Reads the files that the options name, before TensorFlow's slow import."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tensorflow_serving.config import model_server_config_pb2

from serving.embedded.config_files import (
    BatchingParameters,
    TlsSettings,
    read_batching_parameters,
    read_metrics_path,
    read_model_config,
    read_tls_settings,
)
from serving.embedded.options import Options, UsageError


@dataclass(frozen=True)
class Settings:
    """The content of the configuration files.

    Attributes:
        models: The served models.
        batching: None: no batching.
        metrics_path: Path of the metrics on the REST port; None: no metrics.
        tls: None: no encryption.
    """

    models: model_server_config_pb2.ModelServerConfig
    batching: BatchingParameters | None
    metrics_path: str | None
    tls: TlsSettings | None


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
    return Settings(
        models=_models(options),
        batching=batching,
        metrics_path=metrics_path,
        tls=read_tls_settings(options.ssl_config_file),
    )


def _models(options: Options) -> model_server_config_pb2.ModelServerConfig:
    if options.model_config_file:
        return read_model_config(options.model_config_file)
    path = options.model_base_path
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(
        name=options.model_name,
        base_path=path if "://" in path else os.path.abspath(path),
        model_platform="tensorflow",
    )
    return config
