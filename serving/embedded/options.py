"""Options of the command line: those of tensorflow_model_server and a few more."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, NoReturn

from base.errors import UserError

_INT32_MAX = 2**31 - 1


class UsageError(UserError):
    """An option, or a file that it names, that can't be used; the message says how to fix it."""


def _option(default: object, text: str, lowest: float = -inf, highest: float = inf) -> Any:
    """Return a field of `Options` that is an option of the command line."""
    shown = "" if default in ("", None) else f" (default: {str(default).lower()})"
    return field(default=default, metadata={"help": text + shown, "range": (lowest, highest)})


@dataclass(frozen=True)
class Options:
    """The options; those without a counterpart in tensorflow_model_server say so."""

    model_name: str = _option("default", "name of the model, for clients")
    model_base_path: str = _option("", "folder of versions: FOLDER/1/saved_model.pb ...")
    model_config_file: str = _option("", "several models, as a ModelServerConfig in text format")
    model_config_file_poll_wait_seconds: float = _option(
        0.0, "interval at which that file is read again; 0: read once", 0
    )
    file_system_poll_wait_seconds: float = _option(
        1.0, "interval at which folders are searched for versions; 0: once", 0
    )
    max_num_load_retries: int = _option(5, "retries of a failed load", 0)
    load_retry_interval_micros: int = _option(60_000_000, "pause before a retry", 0)
    enable_model_warmup: bool = _option(
        True, "replay assets.extra/tf_serving_warmup_requests before a version takes requests"
    )
    allow_version_labels_for_unavailable_models: bool = _option(
        False, "without effect: here a label waits for its version in any case"
    )
    host: str = _option(
        "127.0.0.1", "address to listen on; 0.0.0.0: of all interfaces; this server only"
    )
    port: int = _option(8500, "gRPC; 0 picks a free one", 0, 65535)
    rest_api_port: int | None = _option(
        None, "REST; 0 picks a free one; left out: no REST", 0, 65535
    )
    rest_api_num_threads: int = _option(64, "REST requests that run at once", 1)
    rest_api_timeout_in_ms: int = _option(30_000, "timeout of a REST request", 1)
    enable_grpc_healthcheck_service: bool = _option(
        False, "answer grpc.health.v1 on the port for gRPC"
    )
    ssl_config_file: str = _option("", "key and certificates for gRPC, as an SSLConfig")
    monitoring_config_file: str = _option("", "metrics for Prometheus, as a MonitoringConfig")
    enable_batching: bool = _option(False, "run concurrent requests as one batch")
    batching_parameters_file: str = _option("", "batching, as BatchingParameters")
    grpc_max_threads: int = _option(256, "gRPC requests that run at once", 1)
    grpc_channel_arguments: str = _option("", "passed to gRPC: NAME=VALUE,NAME=VALUE ...")
    tensorflow_session_parallelism: int = _option(
        0, "threads for an operation, and operations at once; 0: all cores", 0
    )
    shutdown_grace_seconds: float = _option(
        30.0, "time for running requests to finish at the end; this server only", 0
    )


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
    kinds: dict[str, Callable[[str], Any]] = {"bool": _boolean, "float": float, "str": str}
    for each in fields(Options):
        flag: dict[str, Any] = {"nargs": "?", "const": True} if each.type == "bool" else {}
        parser.add_argument(
            f"--{each.name}",
            default=each.default,
            type=kinds.get(str(each.type), int),
            metavar=str(each.type).split()[0].upper(),
            help=each.metadata["help"],
            **flag,
        )
    options = Options(**vars(parser.parse_args(arguments)))
    _check(options)
    return options


def channel_arguments(options: Options) -> list[tuple[str, int | str]]:
    """Channel arguments for gRPC: the message limits, and `--grpc_channel_arguments` over them.

    Raises:
        UsageError: An argument isn't written as NAME=VALUE.
    """
    arguments: dict[str, int | str] = {
        "grpc.max_receive_message_length": _INT32_MAX,
        "grpc.max_send_message_length": _INT32_MAX,
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
        arguments[name] = int(value) if value.removeprefix("-").isdecimal() else value
    return list(arguments.items())


def _check(options: Options) -> None:
    if options.model_config_file and options.model_base_path:
        raise UsageError(
            "--model_base_path and --model_config_file were both given: a model is named by "
            "one of them, so leave one out"
        )
    if not (options.model_config_file or options.model_base_path):
        raise UsageError(
            "name what to serve: --model_base_path=FOLDER, which holds FOLDER/1/saved_model.pb, or "
            "--model_config_file=FILE"
        )
    if not options.model_name:
        raise UsageError("--model_name is empty: give the name that clients ask for")
    if options.batching_parameters_file and not options.enable_batching:
        raise UsageError("--batching_parameters_file needs --enable_batching: add it")
    if options.port and options.port == options.rest_api_port:
        raise UsageError(f"--port and --rest_api_port are both {options.port}: they must differ")
    for each in fields(options):
        value, (lowest, highest) = getattr(options, each.name), each.metadata["range"]
        if isinstance(value, int | float) and not lowest <= value <= highest:
            bound = f"at least {lowest}" if highest == inf else f"from {lowest} to {highest}"
            raise UsageError(f"--{each.name}={value:g}: must be {bound}")
    channel_arguments(options)


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
