import pytest

from judging.judgement import Verdict
from pipeline import notify
from pipeline.config.errors import ConfigError
from pipeline.config.reading import parse
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.outcome import ComponentOutcome
from pipeline.runs.summary import Summary
from pipeline.terminal import console


def told_of(monkeypatch, outcome="blessed", failed=None, pushed=None, **fields):
    """What the webhook is told of a run."""
    told = []
    monkeypatch.setattr(notify, "notify", lambda settings, *event: told.append(event))
    verdict = Artifact(uri="b", properties={"verdict": outcome})
    components = [Component(id="Judge", outcome="done", outputs={"blessing": verdict})]
    if pushed:
        properties = {"pushed": 1, "pushed_destination": pushed}
        model = Artifact(uri="p", properties=properties)
        components.append(Component(id="Pusher", outcome="done", outputs={"pushed_model": model}))
    if failed:
        components = [Component(id=failed, outcome=ComponentOutcome.FAILED)]
    notify.tell_of_run(
        None,
        Summary(
            id="7",
            name="parts",
            started="2026-01-01T00:00:00Z",
            run=Run(id="7", components=components),
            serving_root="s",
            **fields,
        ),
    )
    return told


def measure(value):
    return {"value": value, "low": 0, "high": 1, "images": 9}


def test_a_verdict(monkeypatch):
    [(event, text, fields)] = told_of(
        monkeypatch,
        pushed="serving/9",
        verdict={"outcome": "blessed", "checks": (), "reasons": ("all reached",)},
        metrics={"auc": measure(0.9), "precision": measure(float("nan"))},
    )
    assert event == "verdict"
    assert text == "parts: run 7 is blessed: all reached. Pushed to serving/9"
    assert fields["outcome"] == "blessed"
    assert fields["reasons"] == ["all reached"]
    assert fields["figures"] == {"auc": 0.9}  # JSON has no NaN
    assert fields["pushed"] == "serving/9"


def test_what_was_pushed_before_is_not_pushed_by_a_model_that_is_not_blessed(monkeypatch):
    [(event, text, _)] = told_of(monkeypatch, "not_blessed")
    assert (event, text) == ("verdict", "parts: run 7 is not blessed.")


def test_a_failure_is_shortened(monkeypatch):
    [(event, text, fields)] = told_of(monkeypatch, failed="Trainer", failure="no\n disk" * 200)
    assert event == "failure"
    assert text.startswith("parts: run 7 failed in Trainer: no disk")
    assert len(text) < 600
    assert fields["reasons"] == ["no\n disk" * 200]


def test_an_interrupted_run_is_not_told(monkeypatch):
    assert told_of(monkeypatch, unfinished="interrupted") == []


def test_the_verdict_of_a_cluster(monkeypatch):
    told = []
    monkeypatch.setattr(notify, "notify", lambda settings, *event: told.append(event))
    verdict = Verdict(outcome="not_blessed", checks=(), reasons=("auc is low",))
    notify.tell_of_verdict(None, "parts", "parts 2026-01-01", verdict, "http://kubeflow/1")
    [(event, text, fields)] = told
    assert event == "verdict"
    assert text == "parts 2026-01-01 is not blessed: auc is low. http://kubeflow/1"
    assert fields == {
        "pipeline": "parts",
        "run": "parts 2026-01-01",
        "outcome": "not_blessed",
        "reasons": ["auc is low"],
        "link": "http://kubeflow/1",
    }


def test_a_problem_is_a_warning(monkeypatch, capsys):
    monkeypatch.setattr(notify, "notify", lambda *_: "hooks.example was not notified: gone")
    notify.tell(None, "drift", "drifted", {})
    assert capsys.readouterr().err == "Warning: hooks.example was not notified: gone.\n"
    monkeypatch.setattr(console.progress, "quiet", True)  # by cron, nobody else would tell
    notify.tell(None, "drift", "drifted", {})
    assert capsys.readouterr().err == "Warning: hooks.example was not notified: gone.\n"


def test_a_wrong_address_is_not_printed():
    with pytest.raises(ConfigError) as refused:
        parse({"data": {"root": "d"}, "notify": {"url": "hooks.example/s3cret"}})
    said = "notify: url must be an address that begins with https:// or http://"
    assert str(refused.value).endswith(said)
