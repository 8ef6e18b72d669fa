"""Starts servers as a user would, and asks them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

ROOT = Path(__file__).parents[3]
READY_SECONDS = 120  # on a busy machine, TensorFlow's import alone takes many


class Client:
    """Asks a server, whichever it is.

    Args:
        address: gRPC's, host:port.
        rest: REST's, host:port.
        credentials: For TLS.
    """

    def __init__(self, address: str, rest: str = "", credentials=None):
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = (
            grpc.secure_channel(address, credentials, options)
            if credentials
            else grpc.insecure_channel(address, options)
        )
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.rest = rest

    def predict(self, name="probe", signature="", timeout=30, version=None, label=None, **inputs):
        """The outputs as arrays, and the version that answered."""
        request = predict_request(name, signature, version, label, **inputs)
        response = self.predictions.Predict(request, timeout=timeout)
        outputs = {alias: tf.make_ndarray(each) for alias, each in response.outputs.items()}
        return outputs, response.model_spec.version.value

    def http(self, path: str, body: Any = None, method: str | None = None) -> tuple[int, Any]:
        """Status and JSON of a request; `body` is bytes or what becomes JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.rest}{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as e:
            with e:
                return e.code, json.loads(e.read())

    def http_text(self, path: str) -> str:
        """The body that a path answers with."""
        with urllib.request.urlopen(f"http://{self.rest}{path}", timeout=30) as response:
            return response.read().decode()


def predict_request(
    name="probe", signature="", version=None, label=None, **inputs
) -> predict_pb2.PredictRequest:
    """A request of arrays or lists, bytes among them; or of TensorProtos."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for alias, value in inputs.items():
        if isinstance(value, list) and value and isinstance(value[0], float):
            value = np.array(value, np.float32)
        proto = value if hasattr(value, "tensor_shape") else tf.make_tensor_proto(value)
        request.inputs[alias].CopyFrom(proto)
    return request


class Server:
    """A server in a process of its own.

    Args:
        log: File for what it says.
        options: Of the command line, such as `model_name="m"`.
        wait: Whether to wait until it is ready.
    """

    def __init__(self, log: Path, wait: bool = True, **options: Any):
        options = {"host": "localhost", "port": 0, "rest_api_port": 0, **options}
        self.log = log
        self.lines: list[str] = []
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving.embedded", *command_line(options)],
                cwd=ROOT,
                # As users have it: no setting of the tests keeps TensorFlow quiet.
                env={k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        assert self._ready.wait(READY_SECONDS), self.log.read_text()
        assert self.lines, self.log.read_text()
        match = re.fullmatch(r"gRPC on (localhost:\d+), REST on (localhost:\d+)\n", self.lines[0])
        assert match, self.lines
        self.address, self.rest = match.groups()

    def client(self, credentials=None) -> Client:
        return Client(self.address, self.rest, credentials)

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            self._ready.set()
        self._ready.set()  # ended without a word


def command_line(options: Mapping[str, Any]) -> list[str]:
    """Options as text; None leaves one out."""
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


def run(**options: Any) -> tuple[int, str, str]:
    """Run a server that is expected to end by itself: exit code, output, errors."""
    done = subprocess.run(
        [sys.executable, "-m", "serving.embedded", *command_line(options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=READY_SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def eventually(condition, seconds: float = 60.0):
    """Wait for a condition, and return what it gave."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)
    return value
