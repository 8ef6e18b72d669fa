from datetime import datetime, timezone

import pytest

from pipeline.history import Artifact, Component, Run
from pipeline.summary import Metric, Summary


@pytest.mark.parametrize(
    ("value", "least", "passed"),
    [(0.9, 0.9, True), (0.89, 0.9, False), (0.1, None, True), (float("nan"), 0.1, False)],
)
def test_a_metric_passes_at_its_threshold(value, least, passed):
    assert Metric(name="auc", value=value, least=least).passed is passed


def test_is_kept_in_the_runs_folder(tmp_path):
    summary = Summary(
        name="x",
        started=datetime(2026, 1, 1, tzinfo=timezone.utc),
        serving_root="s",
        metrics=[Metric(name="precision", value=float("nan"), least=0.5)],
    )
    assert Summary.read(tmp_path) is None
    summary.write(tmp_path)
    again = Summary.read(tmp_path)
    assert again.model_dump_json() == summary.model_dump_json()
    assert again.reasons == ["precision nan is below 0.5000"]


def test_one_that_cannot_be_read_is_none(tmp_path):
    (tmp_path / Summary.FILE).write_text('{"name": "x", "sta')
    assert Summary.read(tmp_path) is None


def test_a_death_while_writing_leaves_the_one_before(tmp_path, monkeypatch):
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    Summary(name="before", started=now, serving_root="s").write(tmp_path)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.summary.os.replace", die)
    with pytest.raises(KeyboardInterrupt):
        Summary(name="after", started=now, serving_root="s").write(tmp_path)
    assert Summary.read(tmp_path).name == "before"


def test_why_a_model_cannot_be_served_is_among_the_reasons():
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    blessings = [("Evaluator", {"blessed": 1}), ("InfraCheck", {"blessed": 0, "problem": "no op"})]
    components = [
        Component(
            id=name, outcome="done", outputs={"blessing": Artifact(uri="u", properties=values)}
        )
        for name, values in blessings
    ]
    run = Run(id="1", started=now, components=components)
    summary = Summary(name="x", started=now, run=run, serving_root="s")
    assert summary.blessed is False
    assert summary.reasons == ["it cannot be served: no op"]
