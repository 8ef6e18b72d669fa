"""The whole loop, with real servers: a model meets a class that it does not know, and learns it."""

import contextlib
import hashlib
import json
import re
import subprocess
import sys
import time

import pytest
from asgi import call
from command_line import run_here, siamese
from folded_run import CLASSES, SPREAD, folded_run
from processes import wait_until
from sample_images import encoded, picture

from pipeline.config.reading import load
from pipeline.ui.app import create_app
from pipeline.ui.served import Served
from pipeline.ui.workplace import Workplace
from serving.client import SiameseClient
from serving.temporary_server import free_ports
from traffic.store import TrafficStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NEW = "class-3"


@pytest.fixture
def place(tmp_path_factory, monkeypatch):
    """The folder of a first run."""
    place = folded_run(tmp_path_factory).place
    monkeypatch.chdir(place)
    return place


@contextlib.contextmanager
def process(*arguments):
    """A command that stays; gives what it prints first."""
    command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield started.stderr
    finally:
        started.kill()
        started.communicate()


def images(label, count, first=100):
    """Pictures that nobody has seen."""
    return [encoded(picture(label, first + i, 24, SPREAD)) for i in range(count)]


def said(*arguments):
    """What a command prints as JSON, and its exit code."""
    done = siamese(*arguments, "--json")
    print(done.everything)
    return json.loads(done.stdout), done.exit_code


def succeeds(*arguments):
    done = siamese(*arguments)
    print(done.everything)
    return done.exit_code == 0


def classified(client, pictures):
    return [answer.answer for answer in client.classify_files(pictures)]


def serves(client, version):
    """Wait until the label `stable` is that of a version."""
    end = time.monotonic() + 120
    while version != (now := next(client.classify_files(images(0, 1))).version):
        assert time.monotonic() < end, (now, version)
        time.sleep(0.2)


def versions():
    return said("versions", "parts.yaml")[0]["versions"]


def recorded(place, answers):
    """Wait until the recorder has written, which it does after the answers."""
    with TrafficStore(place / "runs/parts/traffic") as store:
        wait_until(lambda: len(store.answers()) >= answers)
        assert len(store.answers()) == answers


def review(place, address):
    """Say in the browser interface what each image in the queue is; return how many are new."""
    settings = load("parts.yaml")
    served = Served("parts", address, None, version_label="stable")
    (place / "ui").mkdir()
    app = create_app(Workplace(place / "parts.yaml", settings, served, place / "ui"))
    strange = {hashlib.sha256(one).hexdigest() for one in images(CLASSES, 25)}
    new = 0
    while items := call(app, "/api/queue").json["items"]:
        for digest in (item["digest"] for item in items):
            of_new = digest in strange
            said = {"decision": "label", "label": NEW} if of_new else {"decision": "skip"}
            done = call(app, "/api/review", {"digest": digest, "reviewer": "Ann", **said})
            assert done.status == 200, done.text
            new += of_new
    return new


def compared_with_the_first(place):
    """Both models are judged out of fold, so that no image is left out."""
    latest = max((place / "runs/parts/runs").iterdir())
    judgement = json.loads((latest / "judgement.json").read_text())
    before = judgement["compared"]["last blessed model"]
    assert before["left_out"] == 0
    assert {"class_accuracy", "worst_class_recall"} <= before["differences"].keys()
    # With more images, the folds are others.
    checks = {one["metric"]: one for one in judgement["verdict"]["checks"]}
    against = checks["auc against the last blessed model"]
    assert (against["outcome"], against["note"]) == (
        "skipped", "its images were in other folds, so that the two compare other pairs"
    )  # fmt: skip


def test_the_loop(place):
    [first] = [one["version"] for one in versions()]
    assert succeeds("promote", "parts.yaml", first, "--wait", 0)
    port, rest_port = free_ports(2)
    with (
        process("serve", "parts.yaml", "--port", port, "--rest-port", rest_port),
        process("record", "parts.yaml", "--upstream", f"localhost:{port}", "--port", 0,
                "--metrics-port", 0) as log,
    ):  # fmt: skip
        recorder = re.search(r"gRPC on (\S+:\d+)", log.readline())[1]
        with SiameseClient(recorder, "parts", version_label="stable") as client:
            client.wait_until_available(300)

            # 500 images, of which 5 % are of a class that the model does not know.
            ordinary = [one for label in range(CLASSES) for one in images(label, 159)][:475]
            classified(client, ordinary)
            recorded(place, 475)
            assert said("monitor", "parts.yaml")[1] == 0
            strange = images(CLASSES, 25)
            assert sum(not one.known for one in classified(client, strange)) > 20
            recorded(place, 500)
            found, code = said("monitor", "parts.yaml")
            assert code == 3, found

            # Reviewed, enrolled, known: without training.
            assert review(place, recorder) > 20
            assert succeeds("review", "parts.yaml", "--enroll", NEW)
            enrolled = versions()[0]["version"]
            assert succeeds("promote", "parts.yaml", enrolled, "--not-gated", "--wait", 0)
            serves(client, enrolled)
            later = images(CLASSES, 20, first=500)
            assert sum(one.known and one.label == NEW for one in classified(client, later)) > 12

            # Trained, judged, promoted, and taken back.
            improved = run_here(place, "parts.yaml", command="improve")
            print(improved.everything)
            assert improved.exit_code == 0
            compared_with_the_first(place)
            assert succeeds("gate", "parts.yaml")
            trained = versions()[0]["version"]
            assert succeeds("promote", "parts.yaml", trained, "--wait", 0)
            serves(client, trained)
            assert sum(one.known and one.label == NEW for one in classified(client, later)) > 12
            assert succeeds("rollback", "parts.yaml", "--wait", 0)
            serves(client, enrolled)
    assert [one["version"] for one in versions()] == [trained, enrolled, first]
