import json
import sys
import time
from datetime import datetime, timezone

import pytest
from asgi import call

from pipeline.runs.folder_lock import locked
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.run_folders import create_run_folder
from pipeline.runs.summary import Summary
from pipeline.ui.running import Watch

LOG = """\
2026-11-29 00:03:13,668 INFO absl: tensorflow_io is not available
siamese plan: ImageExampleGen Trainer Pusher
2026-11-29 00:03:18,000 INFO absl: node ImageExampleGen is running.
2026-11-29 00:03:20,500 INFO absl: node ImageExampleGen is finished.
2026-11-29 00:03:21,000 INFO absl: node Trainer is running.
2026-11-29 00:03:21,100 INFO absl: A cached execution 3 is used.
"""


@pytest.fixture
def run(place):
    folder = create_run_folder(place.settings)
    (folder / "log.txt").write_text(LOG)
    return folder


def end(folder, **values):
    Summary(
        id=folder.name,
        name="mine",
        started=datetime.now(timezone.utc),
        serving_root="s",
        **values,
    ).write(folder)


def test_progress_that_began_before_it_was_watched(run, place):
    with locked(place.settings.root):
        watch = Watch(run)
        found = watch.look()
        first, second, third = found["steps"]
        assert (first["outcome"], first["seconds"]) == ("done", 2.5)
        assert second["outcome"] is None
        assert second["seconds"] > 0
        assert (third["outcome"], third["seconds"]) == (None, None)
        assert found["outcome"] is None
        with (run / "log.txt").open("a") as log:
            log.write("2026-11-29 00:03:22,000 INFO absl: node Trainer is finished.\nsiamese fin")
            log.flush()
            assert watch.look()["steps"][1] == {
                "name": "Trainer", "outcome": "cached", "seconds": 1.0, "note": ""
            }  # fmt: skip
            log.write("ding: warning: <b> is odd\n")
        assert "<b> is odd" in watch.look()["findings"][0]


def test_a_run_is_watched_until_it_ends(app, run):
    end(run, failure="the disk is full")
    answer = call(app, f"/api/runs/{run.name}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    [data] = [line for line in answer.text.splitlines() if line]
    found = json.loads(data.removeprefix("data: "))
    assert found["outcome"] == "failed"
    assert found["steps"][1]["outcome"] == "failed"


def test_a_run_that_was_killed_is_not_watched_for_ever(app, run):
    answer = call(app, f"/api/runs/{run.name}/events")
    assert json.loads(answer.text.strip().removeprefix("data: "))["outcome"] == "interrupted"


def test_the_runs(app, run, place):
    with locked(place.settings.root):
        [found] = call(app, "/api/runs").json["runs"]
        assert found["outcome"] == "running"
    end(run, failure="<b>the disk</b> is full")
    [found] = call(app, "/api/runs").json["runs"]
    assert (found["word"], found["why"]) == ("Failed", ["<b>the disk</b> is full"])
    assert found["report"] is False


def test_a_verdict_is_there_before_the_report(app, run, place, monkeypatch):
    blessing = Artifact(uri="b", properties={"verdict": "blessed"})
    judge = Component(id="Judge", outcome="done", outputs={"blessing": blessing})
    end(run, run=Run(id=run.name, components=[judge]))
    assert not call(app, "/api/runs").json["runs"][0]["report_follows"]
    monkeypatch.setattr(type(place.runner), "is_ours", True)
    assert call(app, "/api/runs").json["runs"][0]["report_follows"]
    (run / "report.html").touch()
    assert not call(app, "/api/runs").json["runs"][0]["report_follows"]


def test_a_report_is_in_a_sandbox(app, run):
    assert call(app, f"/runs/{run.name}/report").status == 404
    (run / "report.html").write_text("<script>1</script>")
    answer = call(app, f"/runs/{run.name}/report")
    assert answer.text == "<script>1</script>"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy


def test_the_log_is_text(app, run):
    answer = call(app, f"/runs/{run.name}/log")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == LOG


@pytest.mark.parametrize("name", ["..", "%2e%2e", "x", "..%2f..%2fmy.yaml", "-"])
def test_what_is_no_run(app, run, name):
    for path in (f"/runs/{name}/report", f"/runs/{name}/log", f"/api/runs/{name}/events"):
        assert call(app, path).status == 404


def test_a_run_is_started_once_and_stopped(app, place):
    script = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).mkdir(parents=True); "
    script += "(pathlib.Path(sys.argv[1]) / 'config.yaml').touch(); time.sleep(60)"
    folder = place.settings.root / "runs/20261129-000000"
    place.runner._command = [sys.executable, "-c", script, str(folder)]
    assert call(app, "/api/runs/start", {}).status == 200
    assert call(app, "/api/runs").json["ours"] is True
    assert "in progress already" in call(app, "/api/runs/start", {}).json["error"]
    assert call(app, "/api/runs/stop", {}).status == 200
    while call(app, "/api/runs").json["ours"]:
        time.sleep(0.01)
    assert call(app, "/api/runs/stop", {}).status == 422


def test_a_run_that_cannot_start_says_why(app, place):
    place.runner._command = [sys.executable, "-c", "import sys; sys.exit('Error: data: is empty')"]
    answer = call(app, "/api/runs/start", {})
    assert (answer.status, answer.json["error"]) == (422, "data: is empty")


def test_another_process_runs_it(app, place):
    with locked(place.settings.root):
        assert "in progress already" in call(app, "/api/runs/start", {}).json["error"]
