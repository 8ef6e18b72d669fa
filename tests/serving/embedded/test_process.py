"""The server as a process: its command line, configuration files, batching, and how it stops."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.embedded.config_files import read_settings
from serving.embedded.listeners import listen
from serving.embedded.options import UsageError, parse_options
from serving.embedded.server import _Server
from tests.serving.embedded.models import publish
from tests.serving.embedded.processes import ROOT, Server, eventually, run

CODE = grpc.StatusCode
SERVING = 1


class Configured:
    """A server that follows a configuration file, and batches."""

    def __init__(self, folder, probe):
        self.folder, self.probe = folder, probe
        self.config = folder / "models.txt"
        self.write("")
        batching = folder / "batching.txt"
        batching.write_text("""
            max_batch_size { value: 8 } batch_timeout_micros { value: 2000 }
            max_enqueued_batches { value: 4 } num_batch_threads { value: 1 }
            allowed_batch_sizes: [4, 8]
        """)
        monitoring = folder / "monitoring.txt"
        monitoring.write_text('prometheus_config { enable: true path: "/metrics" }')
        self.server = Server(
            folder / "log",
            model_config_file=self.config,
            model_config_file_poll_wait_seconds=0.05,
            file_system_poll_wait_seconds=0.05,
            enable_batching="true",
            batching_parameters_file=batching,
            monitoring_config_file=monitoring,
            enable_grpc_healthcheck_service="true",
        )
        self.client = self.server.client()

    def write(self, others):
        """Replace the configuration file at once."""
        text = f'config {{ name: "probe" base_path: "{self.probe}" }} {others}'
        new = self.config.with_suffix(".new")
        new.write_text(f"model_config_list {{ {text} }}")
        new.rename(self.config)

    def metric(self, name):
        for line in self.client.http_text("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(f"no {name}")


@pytest.fixture(scope="module")
def configured(tmp_path_factory, probe_folder):
    configured = Configured(tmp_path_factory.mktemp("configured"), probe_folder)
    yield configured
    configured.server.kill()


def test_keras_is_not_loaded(configured):
    maps = Path(f"/proc/{configured.server.process.pid}/maps").read_text()
    assert "tensorflow" in maps
    assert "optree" not in maps  # which Keras imports


class TestBatching:
    NAME = ":tensorflow:serving:batching_session:processed_batch_size"

    def test_requests_share_batches_and_get_their_own_answers(self, configured):
        client = configured.client

        def ask(number):
            x = [float(number)] * (1 + number % 3)
            outputs, _ = client.predict(x=x)
            return outputs["y"].tolist() == [number / 2 + 2] * len(x)

        before = configured.metric(f"{self.NAME}_count")
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(200)))
        assert configured.metric(f"{self.NAME}_count") - before < 200

    def test_what_can_not_be_batched_fails_as_in_production(self, configured):
        left, right = np.float32([1, 2]), np.float32([1, 2, 3])
        for inputs, message in [
            ({"signature": "outer", "left": left, "right": right}, "equal 0th-dimension size"),
            ({"signature": "scalar", "number": np.float32(1)}, "at least one dimension"),
            ({"x": [0.0] * 9}, "Task size 9 is larger than maximum input batch size 8"),
        ]:
            with pytest.raises(grpc.RpcError) as error:
                configured.client.predict(**inputs)
            assert error.value.code() is CODE.INVALID_ARGUMENT
            assert message in error.value.details()

    def test_too_much_at_once_is_told_and_nothing_late_is_computed(self, configured):
        slow = np.int64([30_000])

        def ask(_):
            try:
                # Of the same length: none of the batches has room for another.
                rounds = np.repeat(slow, 8)
                configured.client.predict(signature="spin", rounds=rounds, timeout=60)
            except grpc.RpcError as e:
                return e.code()
            return CODE.OK

        with ThreadPoolExecutor(12) as pool:
            codes = list(pool.map(ask, range(12)))
        assert set(codes) == {CODE.OK, CODE.UNAVAILABLE}
        # One runs and four wait; who came while the first was taken may have waited, too.
        assert codes.count(CODE.OK) >= 4


class TestConfiguration:
    def test_a_model_is_added_while_it_runs(self, configured, tmp_path):
        publish(tmp_path / "added", 3)
        configured.write(f'config {{ name: "added" base_path: "{tmp_path}/added" }}')

        def answer():
            with contextlib.suppress(grpc.RpcError):
                return configured.client.predict("added", x=[0.0])[1]

        assert eventually(answer) == 3

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('config { nam: "m" }', 'no field named "nam"'),
            ('config { name: "m" base_path: "here" }', "absolute path"),
            ('config { name: "m" base_path: "/none" }', "Could not find base path /none"),
        ],
    )
    def test_a_file_that_can_not_be_followed(self, configured, text, message):
        configured.write(text)
        eventually(lambda: message in configured.server.log.read_text())
        assert configured.client.predict(x=[0.0])[1] == 1


@pytest.mark.seen_in_source
class TestHealth:
    @pytest.mark.parametrize(
        "service", ["", "PredictionService", "tensorflow.serving.PredictionService", "ModelService"]
    )
    def test_serving(self, configured, service):
        health = health_pb2_grpc.HealthStub(configured.client.channel)
        request = health_pb2.HealthCheckRequest(service=service)
        assert health.Check(request, timeout=30).status == SERVING

    def test_an_unknown_service(self, configured):
        health = health_pb2_grpc.HealthStub(configured.client.channel)
        with pytest.raises(grpc.RpcError) as error:
            health.Check(health_pb2.HealthCheckRequest(service="other"), timeout=30)
        assert error.value.code() is CODE.NOT_FOUND


def refuses(client):
    try:
        client.predict(x=[0.0], timeout=5)
    except grpc.RpcError as e:
        return e.code() is CODE.UNAVAILABLE
    return False


def test_sigterm_finishes_what_runs(configured):
    """The last test of this server."""
    done = []

    def slow(through):
        done.append((through(), time.monotonic()))

    def by_grpc():
        rounds = np.int64([15_000])
        return configured.client.predict(signature="spin", rounds=rounds, timeout=120)[0]["done"]

    def by_rest():
        body = {"signature_name": "spin", "instances": [15_000]}
        return configured.client.http("/v1/models/probe:predict", body)[1]["predictions"]

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(slow, through) for through in (by_grpc, by_rest)]
        time.sleep(0.3)
        stopping = pool.submit(configured.server.stop)
        eventually(lambda: refuses(configured.client))
        assert stopping.result() == 0
        for each in running:
            each.result()
    assert [list(answer) for answer, _ in done] == [[15_000.0]] * 2
    lines = configured.server.log.read_text().splitlines()
    of_ours = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) ")
    assert lines
    assert [line for line in lines if not of_ours.match(line)] == []  # no traceback, no CUDA


class TestWrongUse:
    def test_help_needs_no_tensorflow(self):
        code = (
            "import runpy, sys; sys.argv = ['x', '--help']\n"
            "try: runpy.run_module('serving.embedded', run_name='__main__')\n"
            "except SystemExit as e: assert e.code == 0\n"
            "assert 'tensorflow' not in sys.modules"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "--model_base_path" in done.stdout

    def test_one_sentence_and_exit_code_2(self):
        code, output, errors = run(model_config_file="/none")
        assert (code, output) == (2, "")
        assert errors == "error: /none: can't be read (No such file or directory)\n"

    @pytest.mark.parametrize("option", ["port", "rest_api_port"])
    def test_a_port_in_use(self, option):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            arguments = ["--model_base_path=/m", "--port=0", f"--{option}={port}"]
            with pytest.raises(UsageError) as error:
                listen(parse_options(arguments), None)
        assert f"--{option}: can't listen on 127.0.0.1:{port}" in str(error.value)
        assert "choose another port" in str(error.value)

    def test_an_address_of_another_machine(self):
        arguments = ["--model_base_path=/m", "--host=192.0.2.1", "--rest_api_port=0"]
        with pytest.raises(UsageError, match="--rest_api_port: can't listen on"):
            listen(parse_options(arguments), None)

    def test_a_folder_that_is_not_there(self, tmp_path):
        code, output, errors = run(
            model_base_path=tmp_path / "none", host="localhost", port=0, rest_api_port=0
        )
        assert (code, output) == (2, "")
        assert f"error: --model_base_path: Could not find base path {tmp_path}/none" in errors
        assert "Traceback" not in errors


def test_a_load_is_not_waited_for(tmp_path, monkeypatch):
    """It cannot be interrupted."""
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    options = parse_options([f"--model_base_path={tmp_path}", "--host=localhost", "--port=0"])
    server = _Server(options, read_settings(options), listen(options, None))
    server._stop.set()
    server.run()
    server.stop()
    assert ended == [0]


def test_sigint_while_nothing_is_loaded(tmp_path):
    """As when Ctrl-C is pressed while the first version is still awaited."""
    server = Server(tmp_path / "log", wait=False, model_base_path=tmp_path)
    eventually(lambda: "no version to serve" in server.log.read_text())
    assert server.stop(2) == 0
    assert server.lines == []
    assert os.path.exists(tmp_path / "log")
