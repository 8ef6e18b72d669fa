"""Which server serves: TensorFlow Serving where it is at hand, else the embedded one.

All take the options of `tensorflow_model_server`, so that they can take each other's place.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from base.errors import UserError

Engine = Literal["tensorflow", "docker", "embedded"]

AUTO = "auto"

BINARY = "tensorflow_model_server"
IMAGE = "tensorflow/serving:2.20.0"
_DOCKER_SECONDS = 5


class EngineError(UserError):
    """A server that is not at hand."""


class Serving(NamedTuple):
    """What is served, and where.

    Attributes:
        name: That clients ask for.
        base_path: Holds a folder for each version.
        port: Of gRPC.
        rest_port: Of REST.
        options: More options of `tensorflow_model_server`.
        only_here: Answer this machine only; `tensorflow_model_server` itself has no such option.
    """

    name: str
    base_path: Path
    port: int = 8500
    rest_port: int = 8501
    options: Sequence[str] = ()
    only_here: bool = False


def choose(engine: str) -> Engine:
    """The engine to use: for `auto` the first that is at hand.

    Raises:
        EngineError: The one that was asked for is not at hand, or there is none of this name.
    """
    if engine not in (AUTO, *get_args(Engine)):
        raise EngineError(f"engine {engine!r} is none of {AUTO}, {', '.join(get_args(Engine))}")
    if engine in (AUTO, "tensorflow") and shutil.which(BINARY):
        return "tensorflow"
    if engine == "tensorflow":
        raise EngineError(
            f"{BINARY} is not on the PATH; install TensorFlow Serving, or take another engine"
        )
    if engine in (AUTO, "docker") and _docker_answers():
        return "docker"
    if engine == "docker":
        raise EngineError("Docker does not answer; start it, or take another engine")
    return "embedded"


def command(engine: Engine, serving: Serving) -> list[str]:
    """The command that serves.

    Args:
        engine: Of `choose`.
        serving: What and where.
    """
    base = serving.base_path.resolve()
    if engine == "docker":
        host = "127.0.0.1:" if serving.only_here else ""
        return [
            "docker", "run", "--rm", "--init",
            "--publish", f"{host}{serving.port}:8500",
            "--publish", f"{host}{serving.rest_port}:8501",
            "--mount", f"type=bind,source={base},target=/models/{serving.name},readonly",
            "--env", f"MODEL_NAME={serving.name}",
            IMAGE,
            *serving.options,
        ]  # fmt: skip
    embedded = [sys.executable, "-m", "serving.embedded"]
    if serving.only_here:
        embedded.append("--host=localhost")
    return [
        *([BINARY] if engine == "tensorflow" else embedded),
        f"--model_name={serving.name}",
        f"--model_base_path={base}",
        f"--port={serving.port}",
        f"--rest_api_port={serving.rest_port}",
        *serving.options,
    ]


def _docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=_DOCKER_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0
