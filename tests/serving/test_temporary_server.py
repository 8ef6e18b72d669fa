"""With commands that stand in for a server; `test_infra_check.py` starts a real one."""

import os
import socket
import sys
import threading
import time

import pytest
from fake_serving import STATE, serving

from serving import temporary_server as module
from serving.engine import EngineError
from serving.temporary_server import temporary_server


@pytest.fixture
def run(monkeypatch, tmp_path, service):
    """Has a script in place of the server, beside a service that answers on its port."""

    def with_script(code, stopped=None, ready_seconds=5, meanwhile=None):
        monkeypatch.setattr(
            module, "command", lambda engine, serving: [sys.executable, "-c", code, str(tmp_path)]
        )
        return temporary_server(
            "embedded", "m", tmp_path, ready_seconds, stopped, meanwhile=meanwhile
        )

    with serving(service) as address:
        port = int(address.rpartition(":")[2])
        monkeypatch.setattr(module, "free_ports", lambda count: [port, 1])
        yield with_script


SLEEPS = "import os, sys, time; open(sys.argv[1] + '/pid', 'w').write(str(os.getpid())); "
SLEEPS += "print('a word', flush=True); time.sleep(100)"


def pid(tmp_path):
    end = time.monotonic() + 30
    while not (tmp_path / "pid").is_file() or not (text := (tmp_path / "pid").read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return int(text)


def is_running(number):
    return os.path.exists(f"/proc/{number}")


def test_it_runs_until_the_end_of_the_context(run, tmp_path):
    with run(SLEEPS) as address:
        assert address.startswith("localhost:")
        number = pid(tmp_path)
        assert is_running(number)
    assert not is_running(number)


def test_an_error_inside_stops_it_too(run, tmp_path):
    server = run(SLEEPS)
    server.__enter__()
    number = pid(tmp_path)
    server.__exit__(KeyError, KeyError(), None)
    assert not is_running(number)


def test_something_is_done_while_it_starts(run, service, tmp_path):
    service.statuses = [(STATE.LOADING, 0)]
    seen = []
    with run(SLEEPS, meanwhile=lambda: seen.append(is_running(pid(tmp_path)))):
        assert seen == [True]


def test_an_error_while_it_starts_stops_it(run, tmp_path):
    def fails():
        raise KeyError(pid(tmp_path))

    with pytest.raises(KeyError) as found:
        run(SLEEPS, meanwhile=fails).__enter__()
    assert not is_running(found.value.args[0])


def test_a_server_that_ends_is_quoted(run, service):
    service.statuses = [(STATE.LOADING, 0)] * 1000
    with pytest.raises(EngineError, match=r"the server ended\. Its last lines:\nno such option"):
        run("print('no such option')").__enter__()


def test_a_model_that_cannot_be_loaded(run, service, tmp_path):
    service.statuses = [(STATE.LOADING, 0), (STATE.END, 3)]
    with pytest.raises(EngineError, match="cannot load 'm': no such op"):
        run(SLEEPS).__enter__()


def test_it_is_stopped_while_the_model_is_loaded(run, service, tmp_path):
    service.statuses = [(STATE.LOADING, 0)] * 1000
    stopped = threading.Event()
    threading.Thread(target=lambda: (pid(tmp_path), stopped.set())).start()
    with pytest.raises(EngineError, match="was stopped before it had loaded the model"):
        run(SLEEPS, stopped).__enter__()
    assert not is_running(pid(tmp_path))


def test_it_is_stopped_while_nothing_answers_on_its_port(monkeypatch, tmp_path, run):
    stopped = threading.Event()
    stopped.set()
    with socket.create_server(("localhost", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(module, "free_ports", lambda count: [port, 1])
        monkeypatch.setattr(module, "READY_SECONDS", 5)
        with pytest.raises(EngineError, match="was stopped"):
            run(SLEEPS, stopped).__enter__()


def test_a_model_that_is_not_loaded_in_time(run, service):
    service.statuses = [(STATE.LOADING, 0)] * 1000
    with pytest.raises(EngineError, match="has not loaded the model after 0 s"):
        run(SLEEPS, ready_seconds=0).__enter__()


def test_free_ports_differ():
    assert len(set(module.free_ports(20))) == 20
