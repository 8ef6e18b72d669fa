"""Chooses the server: TensorFlow Serving where it is available, else the embedded one.

All take the options of `tensorflow_model_server` and can replace each other.
"""

from __future__ import annotations

import errno
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from base.errors import UserError
from serving.version_labels import FOLLOWING_OPTIONS, Labels, labels_file

Engine = Literal["tensorflow", "docker", "embedded"]

AUTO = "auto"
ENGINES = (AUTO, *get_args(Engine))

BINARY = "tensorflow_model_server"
IMAGE = "tensorflow/serving:2.20.0"

SERVER_OPTIONS = (
    # By default 4 per core: more calls at once fail with RESOURCE_EXHAUSTED. Idle threads cost
    # little; batching limits how many calls run.
    "--grpc_max_threads=256",
    "--rest_api_num_threads=64",
    "--enable_grpc_healthcheck_service=true",
)
"""Options that every server gets, also those of serving/deploy and kubeflow/manifests."""

LOOPBACK, ALL_INTERFACES = "127.0.0.1", "0.0.0.0"
_DOCKER_SECONDS = 5


class EngineError(UserError):
    """A server that is not available, or cannot serve as asked."""

    exit_code = 1


class PortInUse(EngineError):
    """Another process listens on the port.

    Attributes:
        port: The port.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"port {port} of {host} is in use; choose another, or stop what uses it")
        self.port = port


class Serving(NamedTuple):
    """What is served, and where.

    Attributes:
        name: The model's name, which clients ask for.
        base_path: Folder with a sub-folder per version.
        port: Port for gRPC.
        rest_port: Port for REST.
        options: Further options of `tensorflow_model_server`.
        host: Address to listen on; None: the loopback interface where the engine can bind to one.
        labels: The content of the base path's file of labels, which the server then follows; None:
            the newest version is served.
    """

    name: str
    base_path: Path
    port: int = 8500
    rest_port: int = 8501
    options: Sequence[str] = ()
    host: str | None = None
    labels: Labels | None = None


def choose(engine: str) -> Engine:
    """Return the engine to use; `auto` takes the first that is available.

    Raises:
        EngineError: The engine is unknown or not available.
    """
    if engine not in ENGINES:
        raise EngineError(f"engine {engine!r}: unknown; choose one of {', '.join(ENGINES)}")
    if engine in (AUTO, "tensorflow") and shutil.which(BINARY):
        return "tensorflow"
    if engine == "tensorflow":
        raise EngineError(
            f"{BINARY} is not on the PATH; install TensorFlow Serving, or choose another engine"
        )
    if engine in (AUTO, "docker") and _docker_answers():
        return "docker"
    if engine == "docker":
        raise EngineError("Docker does not answer; start it, or choose another engine")
    return "embedded"


def listens_on(engine: Engine, host: str | None) -> str:
    """Return the IP address that an engine listens on.

    Args:
        engine: From `choose`.
        host: The address asked for, or a name such as `localhost`; None: the default.

    Raises:
        EngineError: The engine cannot bind to this address, or the name has none.
    """
    if engine != "tensorflow":
        return _ip_address(host) if host else LOOPBACK
    if host in (None, ALL_INTERFACES):
        return ALL_INTERFACES
    raise EngineError(
        f"{BINARY} listens on all interfaces and has no option for another address than "
        f"{ALL_INTERFACES}; choose the engine docker or embedded to serve on {host} alone"
    )


def check_ports(engine: Engine, serving: Serving) -> None:
    """See that both ports are free.

    Raises:
        PortInUse: One is not.
        EngineError: The address is none of this machine's, or the engine cannot bind to it.
    """
    host = listens_on(engine, serving.host)
    for port in (serving.port, serving.rest_port):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            socket.create_server((host, port), family=family).close()
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                raise PortInUse(host, port) from e
            raise EngineError(f"cannot listen on {host}:{port}: {e.strerror or e}") from e


def command(engine: Engine, serving: Serving) -> list[str]:
    """Return the command that serves.

    Args:
        engine: From `choose`.
        serving: What is served, and where.

    Raises:
        EngineError: The engine cannot bind to the address, or the file of labels is for servers
            that see the base path elsewhere.
    """
    base = serving.base_path.resolve()
    host = listens_on(engine, serving.host)
    labels = serving.labels
    if engine == "docker":
        published = f"[{host}]" if ":" in host else host
        target = labels.base_path if labels else f"/models/{serving.name}"
        return [
            "docker", "run", "--rm", "--init",
            "--publish", f"{published}:{serving.port}:8500",
            "--publish", f"{published}:{serving.rest_port}:8501",
            "--mount", f"type=bind,source={base},target={target},readonly",
            "--env", f"MODEL_NAME={serving.name}",
            *(f"--env={name}={value}" for name, value in quiet_environment(engine).items()),
            IMAGE,
            *(_following(target) if labels else ()),
            *SERVER_OPTIONS,
            *serving.options,
        ]  # fmt: skip
    server = [BINARY]
    if engine == "embedded":
        server = [sys.executable, "-m", "serving.embedded", f"--host={host}"]
    if labels and Path(labels.base_path).resolve() != base:
        raise EngineError(
            f"{labels_file(base)}: is for servers that see the versions at {labels.base_path}, as "
            "containers do; serve with --engine docker, or let the file name the path here: "
            f"siamese promote ... --base-path {base}"
        )
    model = (f"--model_name={serving.name}", f"--model_base_path={base}")
    return [
        *server,
        *(_following(str(base)) if labels else model),
        f"--port={serving.port}",
        f"--rest_api_port={serving.rest_port}",
        *SERVER_OPTIONS,
        *serving.options,  # the last of an option counts
    ]


def _following(base_path: str) -> tuple[str, ...]:
    """Return the options with which a server follows the labels in a base path, as it sees it."""
    return f"--model_config_file={labels_file(base_path)}", *FOLLOWING_OPTIONS


def quiet_environment(engine: Engine) -> dict[str, str]:
    """Return environment variables with which TensorFlow's own log holds errors alone."""
    # The embedded server reports errors itself; TensorFlow would add complaints about CUDA.
    return {"TF_CPP_MIN_LOG_LEVEL": "3" if engine == "embedded" else "2"}


def _ip_address(host: str) -> str:
    """Return the address of a host, an IPv4 one if it has any: Docker publishes on no name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        raise EngineError(f"cannot listen on {host}: {e}; give an address of this machine") from e
    return str(min(found, key=lambda info: info[0] != socket.AF_INET)[4][0])


def _docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=_DOCKER_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0
