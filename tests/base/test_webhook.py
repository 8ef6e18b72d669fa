import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import ValidationError

from base.webhook import Notify, notify

SECRET = "T000/B000/s3cret"


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.server.told.append((self.path, "GET", None))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    with HTTPServer(("127.0.0.1", 0), _Hook) as server:
        server.told, server.status = [], 200
        server.address = f"http://127.0.0.1:{server.server_port}/services/{SECRET}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_one_post_with_a_text_and_fields(hook):
    settings = Notify(url=hook.address)
    assert notify(settings, "verdict", "parts is blessed.", {"run": "1", "accuracy": 0.9}) is None
    [(path, kind, body)] = hook.told
    assert path == f"/services/{SECRET}"
    assert kind == "application/json"
    assert body["text"] == "parts is blessed."
    assert body["siamese"].items() >= {"event": "verdict", "run": "1", "accuracy": 0.9}.items()
    assert body["siamese"]["time"].endswith("+00:00")


def test_the_address_may_be_in_the_environment(hook, monkeypatch):
    monkeypatch.setenv("HOOK", f"{hook.address}\n")
    assert notify(Notify(url_from="HOOK"), "drift", "drifted", {}) is None
    assert len(hook.told) == 1
    monkeypatch.setenv("HOOK", "s3cret")
    problem = notify(Notify(url_from="HOOK"), "drift", "drifted", {})
    assert "variable HOOK holds no address that begins with https://" in problem
    assert "s3cret" not in problem
    monkeypatch.delenv("HOOK")
    assert "HOOK is not set" in notify(Notify(url_from="HOOK"), "drift", "drifted", {})


def test_other_events_are_not_told(hook):
    settings = Notify(url=hook.address, events=["drift"])
    assert notify(settings, "verdict", "blessed", {}) is None
    assert notify(Notify(), "verdict", "blessed", {}) is None
    assert hook.told == []


@pytest.mark.parametrize(("status", "said"), [(404, "it answered 404"), (302, "it answered 302")])
def test_a_refusal_is_a_problem_without_the_secret(hook, status, said):
    hook.status = status
    problem = notify(Notify(url=hook.address), "verdict", "blessed", {})
    assert problem == f"127.0.0.1 was not notified: {said}"
    assert len(hook.told) == 1  # no redirect is followed


def test_a_host_that_is_not_there(hook):
    hook.shutdown()
    hook.server_close()
    problem = notify(Notify(url=hook.address), "verdict", "blessed", {})
    assert problem == "127.0.0.1 was not notified: Connection refused"


def test_a_host_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}"
        problem = notify(Notify(url=url, timeout=0.05), "verdict", "blessed", {})
    assert problem == "127.0.0.1 was not notified: it did not answer in time"


def test_values_that_are_no_json_are_a_problem_too(hook):
    problem = notify(Notify(url=hook.address), "verdict", "blessed", {"auc": float("nan")})
    assert problem == "127.0.0.1 was not notified: ValueError"


def test_the_address_stays_out_of_files_and_messages(hook):
    settings = Notify(url=hook.address)
    assert "s3cret" not in f"{settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert Notify.model_validate(settings.model_dump()).url is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"url": "file:///etc/passwd"}, "url must be an address that begins"),
        ({"url": "hooks.example"}, "must be an address"),
        ({"url": "https://a", "url_from": "A"}, "leave one of them out"),
        ({"events": ["all"]}, "'verdict', 'drift' or 'failure'"),
        ({"timeout": 0}, "greater than 0"),
    ],
)
def test_what_is_refused(values, said):
    with pytest.raises(ValidationError, match=said):
        Notify(**values)
