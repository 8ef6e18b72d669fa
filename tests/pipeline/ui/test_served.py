import contextlib
import threading

import pytest

from base.errors import UserError
from pipeline.ui import served as module
from pipeline.ui.served import Served, Status
from serving.client import ServingError
from serving.engine import EngineError


def test_a_server_of_our_own_is_there_later(address):
    let, ended = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def start(stopped):
        let.wait(10)
        yield address
        ended.set()

    served = Served("mine", None, start)
    assert served.status().state == "starting"
    with pytest.raises(ServingError, match="is being loaded"):
        served.client()
    let.set()
    while served.status().state != "ready":
        pass
    served.client()
    served.close()
    assert ended.is_set()


def test_it_is_closed_while_the_model_is_loaded():
    begun = threading.Event()

    @contextlib.contextmanager
    def start(stopped):
        begun.set()
        if not stopped.wait(10):
            yield "localhost:1"
        raise EngineError("was stopped")

    served = Served("mine", None, start)
    begun.wait()
    served.close()
    assert served.status().state == "failed"


def test_nothing_has_been_pushed_yet(address, monkeypatch):
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    pushed, loaded = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def running():
        loaded.wait(10)
        yield address

    def start(stopped):
        if not pushed.is_set():
            raise UserError("no model has been pushed")
        return running()

    served = Served("mine", None, start)
    while served.status().state == "starting":
        pass
    assert served.status() == Status("none", "no model has been pushed")
    pushed.set()
    while served.status().state == "none":
        pass
    assert served.status().state == "starting"
    loaded.set()
    while served.status().state != "ready":
        pass
    served.close()


def test_a_model_that_cannot_be_served():
    def start(stopped):
        raise EngineError("the server ended")

    served = Served("mine", None, start)
    while served.status().state == "starting":
        pass
    assert served.status().message == "The model cannot be served: the server ended"
    served.close()


def test_a_server_that_is_gone(monkeypatch):
    monkeypatch.setattr(module, "_STATUS_SECONDS", 0.2)
    served = Served("mine", "localhost:1")
    assert served.status().state == "unreachable"
    assert "localhost:1 does not answer" in served.status().message
    served.close()
