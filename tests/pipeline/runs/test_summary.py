from datetime import datetime, timezone

import numpy as np
import pytest

from judging.judgement import Check, Measure, Verdict
from pipeline.config.reading import parse
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.outcome import Outcome
from pipeline.runs.summary import Summary, record_failure

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def verdict(outcome="not_blessed"):
    check = Check(metric="precision", required="at least 0.5", outcome="undecided", note="no pair")
    return Verdict(outcome=outcome, checks=(check,), reasons=("precision: no pair",))


def test_is_kept_in_the_runs_folder(tmp_path):
    summary = Summary(
        id="20260101-000000",
        name="x",
        started=datetime(2026, 1, 1, tzinfo=timezone.utc),
        serving_root="s",
        verdict=verdict(),
        metrics={"auc": Measure(value=0.9, low=float("nan"), high=1, images=5)},
    )
    assert Summary.read(tmp_path) is None
    summary.write(tmp_path)
    again = Summary.read(tmp_path)
    assert again.model_dump_json() == summary.model_dump_json()
    assert again.reasons == ("precision: no pair",)
    assert np.isnan(again.metrics["auc"].low)


def test_one_that_cannot_be_read_is_a_failure(tmp_path):
    (tmp_path / Summary.FILE).write_text('{"name": "x", "sta')
    found = Summary.read(tmp_path)
    assert found.outcome is Outcome.FAILED
    assert "summary.json: is damaged, or was written by another version" in found.failure


def test_an_older_one_without_an_id_has_its_folders(tmp_path):
    summary = Summary(name="x", started=NOW, serving_root="s")
    summary.write(tmp_path)
    assert Summary.read(tmp_path).id == tmp_path.name


def test_a_run_whose_process_died_has_failed(tmp_path):
    folder = tmp_path / "20260101-000000"
    folder.mkdir()
    (folder / "config.yaml").touch()
    config = parse({"output": str(tmp_path), "data": {"root": "d"}})
    record_failure(config, folder, "ended by signal 9")
    found = Summary.read(folder)
    assert (found.id, found.outcome, found.unexpected) == (folder.name, Outcome.FAILED, True)


def test_a_death_while_writing_leaves_the_one_before(tmp_path, monkeypatch):
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    Summary(name="before", started=now, serving_root="s").write(tmp_path)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.runs.summary.os.replace", die)
    with pytest.raises(KeyboardInterrupt):
        Summary(name="after", started=now, serving_root="s").write(tmp_path)
    assert Summary.read(tmp_path).name == "before"


def run_of(**blessings):
    components = [
        Component(
            id=name, outcome="done", outputs={"blessing": Artifact(uri="u", properties=values)}
        )
        for name, values in blessings.items()
    ]
    return Run(id="1", components=components)


def test_the_outcome_is_the_judges_unless_the_run_failed():
    run = run_of(Evaluator={"blessed": 1}, Judge={"blessed": 0, "verdict": "undecided"})
    kept = {"name": "x", "started": NOW, "serving_root": "s"}
    assert Summary(**kept, run=run).outcome == "undecided"
    assert Summary(**kept, run=run, failure="no disk").outcome == "failed"
    assert Summary(**kept, unfinished="running").outcome is Outcome.RUNNING
    assert Summary(**kept).outcome is None


@pytest.mark.parametrize(
    ("judged", "reasons"),
    [
        ("blessed", ("InfraCheck failed: no op",)),
        ("not_blessed", ("precision: no pair", "InfraCheck failed: no op")),
        ("undecided", ("precision: no pair", "InfraCheck failed: no op")),
    ],
)
def test_why_a_model_cannot_be_served_is_among_the_reasons(judged, reasons):
    run = run_of(Judge={"verdict": judged}, InfraCheck={"blessed": 0, "problem": "no op"})
    kept = {"name": "x", "started": NOW, "serving_root": "s"}
    summary = Summary(**kept, run=run, verdict=verdict(judged))
    assert summary.outcome == "not_blessed"
    assert summary.reasons == reasons
