"""`siamese record` as a process."""

import contextlib
import hashlib
import re
import signal
import sqlite3
import subprocess
import sys

import pytest
from command_line import siamese
from fake_serving import Service, serving

from pipeline.terminal.console import WRONG_USE
from serving.connection import Connection
from traffic.store import TrafficStore

RECORD = (sys.executable, "-m", "pipeline.cli", "record", "--port", "0", "--metrics-port", "0")


@contextlib.contextmanager
def recorder(*arguments):
    """Runs the command; gives its process and its port for gRPC."""
    process = subprocess.Popen([*RECORD, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        yield process, re.search(r"gRPC on 127\.0\.0\.1:(\d+)", line)[1]
    finally:
        process.kill()
        process.communicate()


def _classify(port, count, image=b"x" * 50_000):
    with Connection(f"localhost:{port}", "parts") as connection:
        for i in range(count):
            connection.predict("classify", {"image": [image + bytes([i % 256])]})


def test_what_is_asked_is_recorded_until_it_is_stopped(tmp_path):
    config = tmp_path / "my.yaml"
    config.write_text(
        f"data: {{root: pictures}}\noutput: {tmp_path}/runs\n"
        "traffic: {store: seen, random: 1.0, per_hour: 3}\n"
    )
    with serving(Service()) as address, recorder(config, "--upstream", address) as (process, port):
        _classify(port, 5)
        process.send_signal(signal.SIGTERM)  # what waits is recorded
        assert process.wait(20) == 0
    with TrafficStore(tmp_path / "seen") as store:
        assert len(store.answers()) == 5
        assert len(store.images()) == 3


def test_a_killed_recorder_leaves_a_whole_store(tmp_path):
    options = ("--store", tmp_path / "store", "--random", 1, "--per-hour", 1000)
    with serving(Service()) as address:
        for _ in range(2):
            with recorder("--upstream", address, *options) as (process, port):
                _classify(port, 100)
                process.kill()
    with sqlite3.connect(tmp_path / "store/traffic.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with TrafficStore(tmp_path / "store") as store:
        for image in store.images():
            content = store.image_path(image.digest).read_bytes()
            assert hashlib.sha256(content).hexdigest() == image.digest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--upstream", "localhost:1"), "name the traffic store by --store"),
        (
            ("--upstream", "localhost", "--store", "s"),
            "--upstream localhost: write it as HOST:PORT",
        ),
        (("--upstream", "a:1", "--rest", "http://a:2", "--store", "s"), "--rest http://a:2"),
        (("--upstream", "a:1", "--store", "s", "--random", "2"), "--random 2"),
        (("--upstream", "a:1", "--store", "s", "--per-hour", "0"), "--per-hour 0"),
        (("--upstream", "a:1", "--store", "s", "--set", "a.b=c"), "--set needs a configuration"),
        (("--upstream", "a:1", "--store", "s", "--tls-cert", "c"), "a client's certificate needs"),
    ],
)
def test_wrong_options_are_named(arguments, message):
    done = siamese("record", *arguments)
    assert (done.exit_code, message in done.stderr) == (WRONG_USE, True), done.stderr
