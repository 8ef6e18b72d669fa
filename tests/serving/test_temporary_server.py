"""With commands that stand in for a server; `test_infra_check.py` starts a real one."""

import os
import sys
import time

import pytest
from fake_serving import STATE, serving

from serving import temporary_server as module
from serving.engine import EngineError
from serving.temporary_server import temporary_server


@pytest.fixture
def run(monkeypatch, tmp_path, service):
    """Has a script in place of the server, beside a service that answers on its port."""

    def with_script(code):
        monkeypatch.setattr(
            module, "command", lambda engine, serving: [sys.executable, "-c", code, str(tmp_path)]
        )
        return temporary_server("embedded", "m", tmp_path, ready_seconds=5)

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


def test_a_server_that_ends_is_quoted(run, service):
    service.statuses = [(STATE.LOADING, 0)] * 1000
    with pytest.raises(EngineError, match=r"the server ended\. Its last lines:\nno such option"):
        run("print('no such option')").__enter__()


def test_a_model_that_cannot_be_loaded(run, service, tmp_path):
    service.statuses = [(STATE.LOADING, 0), (STATE.END, 3)]
    with pytest.raises(EngineError, match="cannot load 'm': no such op"):
        run(SLEEPS).__enter__()


def test_free_ports_differ():
    assert len(set(module.free_ports(20))) == 20
