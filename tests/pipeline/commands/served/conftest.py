"""A configuration with a pushed model, and a fake service in place of its server."""

import contextlib
import os
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from sample_images import write_classes

from pipeline.runs import held_out, history
from pipeline.runs.summary import Summary

PUSHED = {"pushed": 1, "pushed_destination": "/place/serving/7"}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Images, a configuration, and a model that was pushed."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "data", classes=2, each=3)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "runs/mine/serving/7").mkdir(parents=True)
    (tmp_path / "runs/mine/serving/7/saved_model.pb").touch()
    return tmp_path


@pytest.fixture
def temporary(address, monkeypatch):
    """Has the fake service in place of a server that is started."""
    started = []

    @contextlib.contextmanager
    def serve(engine, name, base_path, options, meanwhile):
        assert options == ["--enable_model_warmup=false"]
        if meanwhile:
            meanwhile()
        started.append((engine, name, base_path.name))
        yield address

    monkeypatch.setattr("serving.temporary_server.temporary_server", serve)
    monkeypatch.setenv("PATH", "")
    return started


@pytest.fixture
def test_split(place, monkeypatch):
    """All images are in the test split of the run that pushed the model."""
    outputs = {
        "ImageExampleGen": {"examples": {"uri": "e"}},
        "Pusher": {"pushed_model": {"uri": "p", "properties": PUSHED}},
    }
    run = history.Run.model_validate(
        {"id": "1", "components": [
            {"id": name, "outcome": "done", "outputs": made} for name, made in outputs.items()
        ]}
    )  # fmt: skip
    folder = place / "runs/mine/runs/20260101-000000"
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    started = datetime(2026, 1, 1, tzinfo=timezone.utc)
    Summary(name="mine", started=started, run=run, serving_root="s").write(folder)
    files = sorted((place / "data").rglob("*.png"))
    report = SimpleNamespace(folds=[], root=str(place / "data"))
    monkeypatch.setattr(held_out.IngestionReport, "read", lambda uri: report)
    monkeypatch.setattr(held_out, "_training_keys", lambda model: set())
    monkeypatch.setattr(
        held_out, "_test_images", lambda uri: [(os.fsencode(f), f.parent.name, 1) for f in files]
    )
