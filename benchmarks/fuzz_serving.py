"""Sends the embedded server requests that nobody should send: `python -m benchmarks.fuzz_serving`.

Protobuf messages, JSON and HTTP, damaged or made up from a seed, from several clients at once.
Reports how they were answered and how the server's memory grew. Exit code 1: a request hung, or
what is the client's fault got an error of the server (5xx other than 501, INTERNAL, UNKNOWN).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

MODELS = Path(__file__).parents[1] / "tests/serving/embedded/models.py"
"""Writes the model that is served."""

SECONDS = 60.0
"""Without an answer for so long, a request hangs."""

KINDS = ("protobuf", "json", "http")
_PATIENCE = 0.3
_PREDICTION, _MODEL = "/tensorflow.serving.PredictionService", "/tensorflow.serving.ModelService"
_METHODS = (
    *(f"{_PREDICTION}/{name}" for name in ("Predict", "Predict", "Predict", "GetModelMetadata")),
    *(f"{_PREDICTION}/{name}" for name in ("Classify", "Regress", "MultiInference", "None")),
    *(f"{_MODEL}/{name}" for name in ("GetModelStatus", "HandleReloadConfigRequest")),
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
)
# Inputs of the probe by signature.
_SIGNATURES = {
    "": ("x",),
    "text": ("text",),
    "two_inputs": ("a", "b"),
    "matrix": ("rows",),
    "scalar": ("number",),
    "outer": ("left", "right"),
    "image": ("image",),
    "dtypes": ("i32", "i64", "u8", "flag", "f64", "f16"),
    "none": ("x",),
}
_NUMBERS = (0, 1, -1, 2, 7, 2**31, 2**40, 2**62, -(2**63))
_TOKENS = (
    *(
        b"NaN",
        b"-NaN",
        b"-Infinity",
        b"1e39",
        b"1e999",
        b"9" * 5000,
        b"null",
        b"true",
        b"[]",
        b"{}",
    ),
    *(
        b'"\\ud800"',
        b'"\xff"',
        b'{"b64": "AA=="}',
        b'{"b64": "?"}',
        b"[" * 50,
        b'"a"',
        b"1.5",
        b"3",
    ),
)
_LINES = (
    *(b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: " + b"9" * 5000, b"Expect: x"),
    *(b"Expect: 100-continue", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked"),
    *(b"Content-Encoding: gzip", b"Content-Encoding: br", b"Connection: upgrade", b": x", b"A:\0b"),
    *(b"Upgrade: websocket", b"Host: x", b"Connection: close", b"X: " + b"a" * 70_000),
)
_PATHS = (
    *(b"/v1/models/probe:predict", b"/v1/models/probe", b"/v1/models/probe/metadata", b"/", b"*"),
    *(b"/v1/models/%70robe", b"/v1/models/%00%ff", b"/v1/models/probe/labels/%ud800:predict"),
    *(b"/v1/models/probe/versions/" + b"9" * 5000, b"/v1/models/probe/versions/1:predict?a=b"),
    *(
        b"/v1/models/../../etc/passwd",
        b"/monitoring/prometheus/metrics",
        b"http://x/v1/models/probe",
    ),
)


class Case(NamedTuple):
    """A request.

    Attributes:
        kind: One of `KINDS`.
        target: gRPC method or path; empty where the payload is all of an HTTP request.
        payload: What is sent.
    """

    kind: str
    target: str
    payload: bytes


class Verdict(NamedTuple):
    """How a request was answered: a code's name, and whether that is to be reported."""

    answer: str
    wrong: bool


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield requests, the same ones for a seed."""
    rng = random.Random(seed)
    makers: dict[str, Callable[[random.Random], Case]] = {
        "protobuf": _protobuf,
        "json": _json,
        "http": _http,
    }
    for _ in range(count):
        yield makers[rng.choice(KINDS)](rng)


def _protobuf(rng: random.Random) -> Case:
    method = rng.choice(_METHODS)
    if rng.random() < 0.2:
        return Case("protobuf", method, rng.randbytes(rng.choice((0, 3, 20, 200))))
    message: Any = get_model_status_pb2.GetModelStatusRequest()
    if method.endswith("Metadata"):
        message = get_model_metadata_pb2.GetModelMetadataRequest(
            metadata_field=rng.choices(("signature_def", "x"), k=rng.randrange(3))
        )
    elif method.endswith("Predict"):
        message = predict_pb2.PredictRequest()
        message.model_spec.signature_name = rng.choice(list(_SIGNATURES))
        for alias in _SIGNATURES[message.model_spec.signature_name]:
            if rng.random() < 0.95:
                message.inputs[alias].CopyFrom(_tensor(rng))
        message.output_filter.extend(rng.choices(("y", "sum", "x"), k=rng.choice((0, 0, 1, 3))))
    if rng.random() < 0.95:
        message.model_spec.name = rng.choice(("probe", "probe", "probe", "", "x" * 9000))
    if rng.random() < 0.1:
        message.model_spec.version.value = rng.choice(_NUMBERS)
    payload = message.SerializeToString()
    return Case("protobuf", method, _damaged(rng, payload) if rng.random() < 0.4 else payload)


def _tensor(rng: random.Random) -> tensor_pb2.TensorProto:
    if rng.random() < 0.3:  # one that fits
        proto = tensor_pb2.TensorProto(dtype=rng.choice((1, 7)))
        proto.tensor_shape.dim.add(size=rng.randrange(1, 4))
        proto.float_val.extend([1.0] * (proto.dtype == 1))
        proto.string_val.extend([b"a"] * (proto.dtype == 7))
        return proto
    proto = tensor_pb2.TensorProto(
        dtype=rng.choice((1, 1, 7, 3, 9, 4, 10, 2, 19, rng.randrange(130)))
    )
    proto.tensor_shape.unknown_rank = rng.random() < 0.05
    for _ in range(rng.randrange(4)):
        proto.tensor_shape.dim.add(size=rng.choice((*_NUMBERS, 0, 1, 2, 3)))
    values = [rng.randrange(10) for _ in range(rng.randrange(5))]
    proto.float_val.extend(values)
    proto.int_val.extend(values)
    proto.string_val.extend(rng.randbytes(value) for value in values)
    proto.tensor_content = rng.randbytes(rng.choice((0, 0, 4, 8, 16)))
    return proto


def _json(rng: random.Random) -> Case:
    signature = rng.choice(list(_SIGNATURES))
    aliases = _SIGNATURES[signature]

    def value(depth: int = 0) -> Any:
        plain = (None, True, 0, 1, -5, 2**40, 10**30, 0.5, "a", "é", {"b64": "AAAA"}, {"b64": 1})
        if depth > 3 or rng.random() < 0.6:
            return rng.choice(plain)
        if rng.random() < 0.5:
            return [value(depth + 1) for _ in range(rng.randrange(4))]
        return {
            rng.choice((*aliases, "b64", "z")): value(depth + 1) for _ in range(rng.randrange(4))
        }

    numbers = [float(rng.randrange(9)) for _ in range(rng.randrange(1, 4))]
    rows: Any = rng.choice((numbers, [{a: 1.0 for a in aliases}], [value(), value()], value()))
    key = rng.choice(("instances", "instances", "inputs", "examples"))
    body = json.dumps({"signature_name": rng.choice((signature, signature, 7)), key: rows}).encode()
    if rng.random() < 0.3:
        at = rng.randrange(len(body))
        body = body[:at] + rng.choice(_TOKENS) + body[at + rng.randrange(3) :]
    if rng.random() < 0.2:
        body = _damaged(rng, body)
    method = rng.choice(("predict", "predict", "predict", "classify", "Predict"))
    return Case("json", f"/v1/models/probe:{method}", body)


def _http(rng: random.Random) -> Case:
    method = rng.choice(
        (b"GET", b"GET", b"POST", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"\0", b"get")
    )
    lines = [method + b" " + rng.choice(_PATHS) + b" " + rng.choice((b"HTTP/1.1", b"HTTP/1.0"))]
    lines += [b"Host: x", *rng.choices(_LINES, k=rng.choice((0, 0, 1, 3))), b"", b""]
    body = rng.choice((b"", b"", b"hello", b'{"instances": [1.0]}', b"5\r\nhello\r\n0\r\n\r\n"))
    whole = b"\r\n".join(lines) + body
    return Case("http", "", _damaged(rng, whole) if rng.random() < 0.3 else whole)


def _damaged(rng: random.Random, payload: bytes) -> bytes:
    data = bytearray(payload)
    for _ in range(rng.randrange(1, 5)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data)


class Asker:
    """Asks a server.

    Args:
        address: gRPC's, host:port.
        rest: REST's, host:port.
    """

    _CLEAR = ("OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "UNIMPLEMENTED")

    def __init__(self, address: str, rest: str) -> None:
        self._channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        host, port = rest.rsplit(":", 1)
        self._rest = host, int(port)

    def ask(self, case: Case) -> Verdict:
        """Send a request, and judge its answer."""
        if case.kind == "protobuf":
            return self._ask_grpc(case)
        payload, whole = case.payload, case.kind == "json"
        if whole:
            head = f"POST {case.target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            payload = f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload
        return self._ask_http(payload, whole)

    def _ask_grpc(self, case: Case) -> Verdict:
        try:
            self._channel.unary_unary(case.target)(case.payload, timeout=SECONDS)
        except grpc.RpcError as e:
            name = e.code().name
            # RESOURCE_EXHAUSTED is TensorFlow's answer to a tensor larger than the memory.
            return Verdict(name, name not in (*self._CLEAR, "RESOURCE_EXHAUSTED"))
        return Verdict("OK", False)

    def _ask_http(self, payload: bytes, whole: bool) -> Verdict:
        end = time.monotonic() + SECONDS
        answer = b""
        with socket.create_connection(self._rest, timeout=SECONDS) as connection:
            # For the rest of a request that is incomplete the server waits longer.
            connection.settimeout(SECONDS if whole else _PATIENCE)
            try:
                connection.sendall(payload)
                while not _complete(answer) and (part := connection.recv(2**16)):
                    answer += part
                    if time.monotonic() > end:
                        return Verdict("no end", True)
            except TimeoutError:
                return Verdict("no answer", whole)
            except OSError:
                pass  # the server has closed: it refused what it had not read yet
        answer = answer.removeprefix(b"HTTP/1.1 100 \r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 "):
            return Verdict("closed", bool(answer) or whole)
        status = int(answer[9:12])
        return Verdict(str(status), status >= 500 and status != 501)


def _complete(answer: bytes) -> bool:
    """Return whether an answer's head and body are there."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
    return bool(end and length and len(body) >= int(length[1]))


def fuzz(askers: list[Asker], seed: int, count: int, told: Callable[[int], None]) -> Report:
    """Send requests from a client for each asker, and collect the verdicts.

    Args:
        askers: The clients.
        seed: Of the requests.
        count: How many, of all clients together.
        told: Called with the number of answers after each thousand.
    """
    answers: Counter[str] = Counter()
    wrong: list[tuple[Case, Verdict]] = []
    lock, pending = threading.Lock(), cases(seed, count)

    def client(asker: Asker) -> None:
        while True:
            with lock:
                case = next(pending, None)
            if case is None:
                return
            verdict = asker.ask(case)
            with lock:
                answers[f"{case.kind}: {verdict.answer}"] += 1
                if verdict.wrong:
                    wrong.append((case, verdict))
                done = answers.total()
                if done % 1000 == 0:
                    told(done)

    with ThreadPoolExecutor(len(askers)) as pool:
        for each in [pool.submit(client, asker) for asker in askers]:
            each.result()
    return Report(answers, wrong)


class Report(NamedTuple):
    """What came of the requests: answers by kind and code, and those that are wrong."""

    answers: Counter[str]
    wrong: list[tuple[Case, Verdict]]


def main() -> int:
    """Fuzz a server of our own, print the report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_serving", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="(default: 100000)")
    parser.add_argument("--seed", type=int, default=0, help="of the requests (default: 0)")
    parser.add_argument("--clients", type=int, default=8, help="at once (default: 8)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(MODELS), folder], check=True, capture_output=True)
        (Path(folder) / "monitoring.txt").write_text("prometheus_config { enable: true }")
        command = [sys.executable, "-m", "serving.embedded", "--port=0", "--rest_api_port=0"]
        command += ["--model_name=probe", f"--model_base_path={folder}/probe"]
        command += [f"--monitoring_config_file={folder}/monitoring.txt"]
        command += ["--enable_grpc_healthcheck_service=true"]
        log = Path(folder) / "log"
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            return _fuzz_and_print(process, log, options)
        finally:
            process.kill()
            process.wait()


def _fuzz_and_print(process: subprocess.Popen[str], log: Path, options: argparse.Namespace) -> int:
    assert process.stdout is not None
    addresses = re.fullmatch(r"gRPC on (\S+), REST on (\S+)\n", process.stdout.readline())
    if addresses is None:
        sys.exit(f"the server did not start:\n{log.read_text()}")
    askers = [Asker(*addresses.groups()) for _ in range(options.clients)]
    memory: list[float] = []

    def told(done: int) -> None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        memory.append(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024)
        print(f"\r{done} answers, {memory[-1]:.0f} MiB ", end="", file=sys.stderr, flush=True)

    began = time.monotonic()
    report = fuzz(askers, options.seed, options.requests, told)
    print(f"\n{options.requests} requests in {time.monotonic() - began:.0f} s")
    for name, count in sorted(report.answers.items()):
        print(f"{name:36}{count:8}")
    if memory:
        half = len(memory) // 2
        print(
            f"memory: {memory[0]:.0f} MiB after 1,000, {memory[half]:.0f} halfway, "
            f"{memory[-1]:.0f} at the end, {max(memory):.0f} at most"
        )
    tracebacks = log.read_text().count("Traceback")
    print(f"tracebacks in the log: {tracebacks}; wrong answers: {len(report.wrong)}")
    for case, verdict in report.wrong[:10]:
        print(f"  {verdict.answer}: {case.target} {case.payload[:200]!r}")
    return int(bool(report.wrong or tracebacks))


if __name__ == "__main__":
    sys.exit(main())
