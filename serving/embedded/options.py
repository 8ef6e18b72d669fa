"""Options of the command line: those of tensorflow_model_server and a few more."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from base.errors import UserError

INT32_MAX = 2**31 - 1


class UsageError(UserError):
    """An option, or a file that it names, that can't be used; the message says how to fix it."""


_MODELS, _NETWORK, _RESOURCES = "models", "network", "resources"


def _option(group: str, default: object, metavar: str, text: str, kind: type | None = None) -> Any:
    """Return a field of `Options` that is an option of the command line."""
    shown = "" if default in ("", None) else f" (default: {str(default).lower()})"
    told = {"metavar": metavar, "help": text.replace("%", "%%") + shown}
    return field(
        default=default, metadata={"group": group, "kind": kind or type(default), "told": told}
    )


@dataclass(frozen=True)
class Options:
    """The options; those without a counterpart in tensorflow_model_server say so."""

    model_name: str = _option(_MODELS, "default", "NAME", "name of the model, for clients")
    model_base_path: str = _option(
        _MODELS, "", "FOLDER", "folder of versions: FOLDER/1/saved_model.pb ..."
    )
    model_config_file: str = _option(
        _MODELS, "", "FILE", "several models, as a ModelServerConfig in text format"
    )
    model_config_file_poll_wait_seconds: float = _option(
        _MODELS, 0.0, "SECONDS", "interval at which that file is read again; 0: read once"
    )
    file_system_poll_wait_seconds: float = _option(
        _MODELS, 1.0, "SECONDS", "interval at which folders are searched for versions; 0: once"
    )
    max_num_load_retries: int = _option(_MODELS, 5, "N", "retries of a failed load")
    load_retry_interval_micros: int = _option(_MODELS, 60_000_000, "MICROS", "pause before a retry")
    enable_model_warmup: bool = _option(
        _MODELS, True, "BOOL",
        "replay assets.extra/tf_serving_warmup_requests before a version takes requests",
    )  # fmt: skip
    allow_version_labels_for_unavailable_models: bool = _option(
        _MODELS, False, "BOOL", "let a new label name a version that isn't loaded yet"
    )
    saved_model_tags: str = _option(
        _MODELS, "serve", "TAGS", "tags of the SavedModel's graph, separated by commas"
    )
    variables_as_constants: bool = _option(
        _MODELS, True, "BOOL",
        "turn variables that no signature changes into constants; this server only",
    )  # fmt: skip

    host: str = _option(_NETWORK, "0.0.0.0", "ADDRESS", "address to listen on; this server only")
    port: int = _option(_NETWORK, 8500, "PORT", "gRPC; 0 picks a free one")
    rest_api_port: int | None = _option(
        _NETWORK, None, "PORT", "REST; 0 picks a free one; left out: no REST", kind=int
    )
    rest_api_num_threads: int = _option(_NETWORK, 64, "N", "REST requests that run at once")
    enable_grpc_healthcheck_service: bool = _option(
        _NETWORK, False, "BOOL", "answer grpc.health.v1 on the port for gRPC"
    )
    rest_api_timeout_in_ms: int = _option(_NETWORK, 30_000, "MS", "timeout of a REST request")
    rest_api_enable_cors_support: bool = _option(
        _NETWORK, False, "BOOL", "let web pages of other origins use REST"
    )
    ssl_config_file: str = _option(
        _NETWORK, "", "FILE", "key and certificates for gRPC, as an SSLConfig"
    )
    monitoring_config_file: str = _option(
        _NETWORK, "", "FILE", "metrics for Prometheus, as a MonitoringConfig"
    )

    enable_batching: bool = _option(
        _RESOURCES, False, "BOOL", "run concurrent requests as one batch"
    )
    batching_parameters_file: str = _option(
        _RESOURCES, "", "FILE", "batching, as BatchingParameters"
    )
    grpc_max_threads: int = _option(_RESOURCES, 256, "N", "gRPC requests that run at once")
    grpc_max_message_bytes: int = _option(
        _RESOURCES, INT32_MAX, "BYTES", "largest request, over gRPC or REST; this server only"
    )
    grpc_channel_arguments: str = _option(
        _RESOURCES, "", "NAME=VALUE,...", "channel arguments, passed to gRPC"
    )
    tensorflow_intra_op_parallelism: int = _option(
        _RESOURCES, 0, "N", "threads for one operation; 0: all cores"
    )
    tensorflow_inter_op_parallelism: int = _option(
        _RESOURCES, 0, "N", "operations that run at once; 0: all cores"
    )
    tensorflow_session_parallelism: int = _option(
        _RESOURCES, 0, "N", "both of these, if they are 0"
    )
    per_process_gpu_memory_fraction: float = _option(
        _RESOURCES, 0.0, "SHARE", "share of a GPU's memory to take at once; 0: as needed"
    )
    shutdown_grace_seconds: float = _option(
        _RESOURCES, 30.0, "SECONDS",
        "time for running requests to finish when the server is stopped; this server only",
    )  # fmt: skip


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the long usage: the caller prints the one sentence."""
        raise UsageError(f"{message} (see --help)")


def parse_options(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Args:
        arguments: Without the program's name.

    Raises:
        UsageError: An option is unknown, missing, or has an impossible value.
        SystemExit: `--help` was asked for.
    """
    options = Options(**vars(_parser().parse_args(arguments)))
    _check(options)
    return options


def channel_arguments(options: Options) -> list[tuple[str, int | str]]:
    """Channel arguments for gRPC: the message limits, and `--grpc_channel_arguments` over them.

    Raises:
        UsageError: An argument isn't written as NAME=VALUE.
    """
    arguments: dict[str, int | str] = {
        "grpc.max_receive_message_length": options.grpc_max_message_bytes,
        "grpc.max_send_message_length": INT32_MAX,
        # Otherwise a second server would silently share the port.
        "grpc.so_reuseport": 0,
    }
    for pair in filter(None, options.grpc_channel_arguments.split(",")):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (name and equals and value):
            raise UsageError(
                f"--grpc_channel_arguments: '{pair}' must be NAME=VALUE, such as "
                "grpc.max_receive_message_length=67108864"
            )
        try:
            arguments[name] = int(value)
        except ValueError:
            arguments[name] = value
    return list(arguments.items())


def _check(options: Options) -> None:
    if options.model_config_file:
        if options.model_base_path:
            raise UsageError(
                "--model_base_path and --model_config_file were both given: a model is named by "
                "one of them, so leave one out"
            )
    elif not options.model_base_path:
        raise UsageError(
            "name what to serve: --model_base_path=FOLDER, which holds FOLDER/1/saved_model.pb, or "
            "--model_config_file=FILE"
        )
    elif not options.model_name:
        raise UsageError("--model_name is empty: give the name that clients ask for")
    if options.batching_parameters_file and not options.enable_batching:
        raise UsageError("--batching_parameters_file needs --enable_batching: add it")
    for name, port in (("--port", options.port), ("--rest_api_port", options.rest_api_port)):
        if port is not None and not 0 <= port <= 65535:
            raise UsageError(f"{name}={port}: a port is a number from 0 (any free one) to 65535")
    if options.port and options.port == options.rest_api_port:
        raise UsageError(f"--port and --rest_api_port are both {options.port}: they must differ")
    if options.grpc_max_threads < 1 or options.rest_api_num_threads < 1:
        raise UsageError("--grpc_max_threads and --rest_api_num_threads must be at least 1")
    if not 1 <= options.grpc_max_message_bytes <= INT32_MAX:
        raise UsageError(f"--grpc_max_message_bytes must be from 1 to {INT32_MAX}")
    if options.rest_api_timeout_in_ms < 1:
        raise UsageError("--rest_api_timeout_in_ms must be at least 1")
    if options.max_num_load_retries < 0 or options.load_retry_interval_micros < 0:
        raise UsageError(
            "--max_num_load_retries and --load_retry_interval_micros can't be negative"
        )
    if options.file_system_poll_wait_seconds < 0 or options.model_config_file_poll_wait_seconds < 0:
        raise UsageError(
            "--file_system_poll_wait_seconds and --model_config_file_poll_wait_seconds can't be "
            "negative; 0 looks once"
        )
    if not 0 <= options.per_process_gpu_memory_fraction <= 1:
        raise UsageError("--per_process_gpu_memory_fraction must be from 0 (as needed) to 1")
    if options.shutdown_grace_seconds < 0:
        raise UsageError("--shutdown_grace_seconds can't be negative")
    channel_arguments(options)


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m serving.embedded",
        usage="%(prog)s --model_base_path=FOLDER [OPTION ...]",
        allow_abbrev=False,
        description=(
            "Serves TensorFlow SavedModels over gRPC and REST as TensorFlow Serving does, for "
            "development, tests and small loads. Options are named as tensorflow_model_server's."
        ),
        epilog=(
            "One line on standard output says that every model is ready. Ctrl-C or SIGTERM stops "
            "the server after the running requests. Exit code 2: an option or a file must be fixed."
        ),
    )
    groups = {name: parser.add_argument_group(name) for name in (_MODELS, _NETWORK, _RESOURCES)}
    for each in fields(Options):
        kind = each.metadata["kind"]
        flag: dict[str, Any] = {"nargs": "?", "const": True} if kind is bool else {}
        groups[each.metadata["group"]].add_argument(
            f"--{each.name}",
            default=each.default,
            type=_boolean if kind is bool else kind,
            **each.metadata["told"],
            **flag,
        )
    return parser
